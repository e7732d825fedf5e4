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


def token_of(file: str) -> str:
    """Tell what is in the file of a script that reads the gateway for years."""
    return (
        f"{file} holds the gateway's token. A refused token or certificate does not end this\n"
        "command: it says so, sends nothing, and goes on when the file has changed."
    )


def account_of(file: str) -> str:
    """Tell what is in the file of a script that can make a token itself."""
    return (
        f"{file} holds the gateway's token, or user name and password of\n"
        "the Enphase account: then a token is made, and renewed in time."
    )
