"""Failure modes: tests with the real Home Assistant and a simulated gateway.

- A wrong password, an account with a second factor, Entrez down, slow or with another page: `test_entrez`;
  one error at a time in `../test_config_flow`.
- A token of another gateway, expired, of a wrong algorithm, truncated, of a clock five minutes off, an
  installer's: `test_tokens`; renewals in `../test_token_renewal`.
- A host that is unknown, refused, silent, no gateway, another gateway, too old, http for https, IPv6, a
  redirect: `test_hosts`; single wrong addresses in `../test_config_flow`, `../test_discovery` and
  `../test_reconfigure`.
- Answers of HTML, truncated JSON, zeros, NaN, huge numbers, overflows, 401 in between, 503, resets:
  `test_answers`; one counter at a time in `../test_energy_counter`.
- Answers 30 s late, the nightly outage, two alternating addresses: `test_silences`.
- A certificate that is renewed or changed while running: `test_certificates`; the repair in
  `../test_repairs`.

At the end of each test, the log at debug level, the states, the issues and the diagnostics are searched for
all passwords, tokens and cookies that were issued, and the log for errors (`watch`, `conftest`);
`test_secrets` shows that this finds them. The statistics of such hours are compared with the simulated house
(`history`).
"""
