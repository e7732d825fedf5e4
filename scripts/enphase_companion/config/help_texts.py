"""What the help of several commands says in the same words."""

#: The first of the examples of each command that reads a gateway.
TRUST_FIRST = (
    "enphase-gateway-console --trust",
    "first: see the gateway's certificate and trust it",
)

#: The exit statuses of what runs until somebody ends it.
UNTIL_ENDED = "exit status: 0 ended by Ctrl-C or SIGTERM, 1 it cannot work, 2 wrong usage or settings"

#: The exit statuses of what does one thing.
ONCE = "exit status: 0 well, 1 it did not work, 2 wrong usage or settings, 130 Ctrl-C"

#: What the files hold that every script reads which asks a gateway.
CREDENTIALS = (
    "credentials_token.json or credentials.json holds the gateway's token, or user name and password of\n"
    "the Enphase account: then a token is made, and renewed in time."
)

#: What a script does that reads the gateway for years.
NEVER_ENDS = (
    "A refused token or certificate does not end this command: it says so, sends nothing, and goes on\n"
    "when the file has changed."
)
