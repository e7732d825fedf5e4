"""Strategies for any JSON of a peer, and the numbers in a parsed answer."""

from __future__ import annotations

from dataclasses import fields, is_dataclass

from hypothesis import strategies as st

KEYS = st.sampled_from(
    """
    eid measurementType state phaseMode phaseCount statusFlags timestamp activePower apparentPower pwrFactor
    voltage actEnergyDlvd actEnergyRcvd channels reportType cumulative lines createdAt production consumption
    type wNow readingTime activeCount serialNumber lastReportDate devType devices devices: serial_num
    percentFull meters pv last_rpt_date agg_p_mw last_update mains_oper_state real_power_mw ENC_agg_soc soc
    """.split()  # noqa: SIM905
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(0, 4)
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["enabled", "production", "storage", "ENCHARGE", "ENPOWER", "inverters", "1"])
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=20,
)


def list_numbers(value: object) -> list[float]:
    if isinstance(value, float):
        return [value]
    if isinstance(value, tuple):
        return [number for inner in value for number in list_numbers(inner)]
    if is_dataclass(value):
        return [number for field in fields(value) for number in list_numbers(getattr(value, field.name))]
    return []
