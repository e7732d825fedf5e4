"""Failure modes: tests with the real Home Assistant and a simulated gateway.

- `test_entrez`: a wrong password, an account with a second factor, Entrez offline, slow or with another page.
  Single errors are tested in `../test_config_flow`.
- `test_tokens`: tokens of another gateway, expired, with a wrong algorithm, truncated, with a clock deviation
  of five minutes, of an installer. Renewals are tested in `../test_token_renewal`.
- `test_hosts`: unknown names, refused connections, silent hosts, other devices, other gateways, old firmware,
  http instead of https, IPv6, redirects. Single wrong addresses are tested in `../test_config_flow`,
  `../test_discovery` and `../test_reconfigure`.
- `test_responses`: HTML, truncated JSON, zeros, NaN, huge numbers, overflows, occasional 401, 503, resets.
  Single counters are tested in `../test_energy_counter`.
- `test_outages`: responses after 30 s, the nightly outage, two alternating addresses.
- `test_certificates`: certificates that are renewed or changed at runtime. The repair is tested in
  `../test_repairs`.

After each test, the log at debug level, the states, the issues and the diagnostics are searched for all
passwords, tokens and cookies that were issued, and the log for errors (`watch`, `conftest`); `test_secrets`
verifies that search. The statistics of such hours are compared with the simulated house (`history`).
"""
