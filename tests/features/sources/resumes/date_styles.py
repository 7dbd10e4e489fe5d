"""Date ranges as resumes write them, one function per habit."""

from collections.abc import Callable, Mapping

_EN = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_EN_SHORT = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sept", "Oct", "Nov", "Dec")
_RU = (
    "Январь",
    "Февраль",
    "Март",
    "Апрель",
    "Май",
    "Июнь",
    "Июль",
    "Август",
    "Сентябрь",
    "Октябрь",
    "Ноябрь",
    "Декабрь",
)
_RU_SHORT = ("янв.", "февр.", "март", "апр.", "май", "июнь", "июль", "авг.", "сент.", "окт.", "нояб.", "дек.")

Style = Callable[[int, int | None], str]


def _styled(point: Callable[[int], str], now: str, dash: str = " – ") -> Style:
    return lambda first, last: f"{point(first)}{dash}{point(last) if last is not None else now}"


STYLES: Mapping[str, tuple[Style, ...]] = {
    "en": (
        _styled(lambda m: f"{_EN[m % 12]} {m // 12}", "Present"),
        _styled(lambda m: f"{_EN_SHORT[m % 12]} {m // 12}", "present", " - "),
        _styled(lambda m: f"{m % 12 + 1:02}/{m // 12}", "Ongoing"),
        _styled(lambda m: f"15.{m % 12 + 1:02}.{m // 12}", "till date", " - "),
        _styled(lambda m: f"{_EN_SHORT[m % 12]} ’{m // 12 % 100:02}", "Present"),
        _styled(lambda m: f"{m // 12}-{m % 12 + 1:02}", "now", " to "),
        _styled(lambda m: f"{_EN_SHORT[m % 12].upper()}. {m // 12}", "TO DATE", " — "),
        _styled(lambda m: f"{m // 12}", "Current", "–"),
    ),
    "ru": (
        _styled(lambda m: f"{_RU[m % 12]} {m // 12}", "по настоящее время", " — "),
        _styled(lambda m: f"{m % 12 + 1:02}.{m // 12}", "н.в.", " - "),
        _styled(lambda m: f"01.{m % 12 + 1:02}.{m // 12}", "по н.в."),
        _styled(lambda m: f"{_RU_SHORT[m % 12]} {m // 12} г.", "наст. время"),
        _styled(lambda m: f"{m // 12}", "настоящее время", "–"),
        lambda first, last: f"с {first % 12 + 1:02}.{first // 12} по "
        + (f"{last % 12 + 1:02}.{last // 12}" if last is not None else "наст. время"),
    ),
}  # fmt: skip
YEARS_ONLY = (STYLES["en"][-1], STYLES["ru"][-2])
