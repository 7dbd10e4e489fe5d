"""Builds currency_words.csv from the CLDR data (Unicode licence) in Babel, a development-only dependency, and MORE.

Run by hand when a word is missing: `python data/vocabulary/build_currency_words.py`. A word may stand for several
currencies: the row whose `countries` contain the job's country counts, else the row without countries.
"""

import csv
import unicodedata
from collections import defaultdict
from pathlib import Path

from babel import Locale, localedata
from babel.core import get_global
from babel.numbers import get_currency_symbol, get_territory_currencies

FOLDER = Path(__file__).parent
# Locales whose names of currencies are included: "канадских долларов", "Swiss francs".
NAMES_IN = ("en", "ru")
# Signs without letters that one currency has everywhere, or by default; None where only the country decides.
DEFAULTS = {"$": "USD", "£": "GBP", "¥": None, "br": "BYN", "c$": "CAD", "r": "ZAR", "₩": "KRW", "元": "CNY"}
# Letters that CLDR uses as a symbol, but texts use for much else.
NO_WORDS = frozenset(
    [
        "ang",
        "ar",
        "bs",
        "cf",
        "d",
        "da",
        "db",
        "den",
        "dt",
        "e",
        "g",
        "k",
        "kg.",
        "km",
        "l",
        "le",
        "ls",
        "m",
        "mk",
        "p",
        "q",
        "rf",
        "s",
        "sr",
        "um",
        "um",
        "cg",
        "cg.",
        "um",
        "\u200b",
        "ƒ",
    ]
)
# Words beyond CLDR; a star stands for any ending. Several currencies with countries, or one without.
MORE = {
    "RUB": "руб рубл* рубчик* р р. rubl* rub. roubl* ruble*",
    "EUR": "euro* евро eur. єв*",
    "USD": "долл долл. доллар* dollar* бакс* bucks $usd usd$ us-$ u$s u$d дол. usd.",
    "GBP": "pound* фунт* sterling quid ukp",
    "KZT": "тенге теңге* тг тг. тнг tenge* теңгеден",
    "UAH": "грн грн. гривен* гривн* гривня hrn hryvn* uah.",
    "UZS": "so'm* soʻm* so‘m* som'* сум сум. сума сумов сумам сумм сўм* soum* сумдан",
    "TJS": "сомони somoni",
    "GEL": "лари ლარ* lari",
    "AMD": "драм* դրամ* dram drams",
    "BYN": "бел.руб* белруб* бр",
    "PLN": "zł zł. zl zloty* złot* злот* zlot* pln.",
    "CZK": "kč kč. kc koron korun korun* koruna крон*",
    "HUF": "ft ft. forint* форинт*",
    "BGN": "лв лв. лева лев leva lev lv lv.",
    "RSD": "din. дин дин. динар*",
    "CHF": "fr fr. sfr sfr. franken stutz франк*",
    "TRY": "tl tl. lira* лир* türk",
    "ILS": "nis шекел* shekel* ש״ח ils.",
    "INR": "rs rs. rupee* рупи* inr. ₹.",
    "BRL": "reais real brl.",
    "MXN": "mxp mn m.n.",
    "PEN": "s/ s/. sole*",
    "CNY": "rmb yuan* юан* 元 人民币 块 cn¥",
    "JPY": "yen* йен* иен* 円 jp¥",
    "KRW": "won вон 원 krw.",
    "TWD": "ntd nt 台币",
    "THB": "baht* бат* บาท",
    "VND": "đ dong донг* đồng vnđ",
    "IDR": "rp rp. rupiah* рупий",
    "MYR": "rm ringgit* ринггит*",
    "PHP": "peso*",
    "ZAR": "rand* рэнд*",
    "NGN": "naira*",
    "KES": "ksh kshs ksh. kes. /= shilling*",
    "GHS": "cedi* gh¢",
    "EGP": "le l.e. e£ جنيه",
    "AED": "dhs dhs. dh dirham* дирхам* درهم",
    "SAR": "riyal* риял* ريال",
    "CAD": "cdn cdn$ can$ cad$ $cad $cdn cnd",
    "AUD": "aud$ $aud au-$",
    "NZD": "$nzd nzd$",
    "SGD": "sg$ $sgd sgd$",
    "HKD": "$hkd hkd$ 港币",
    "MNT": "төгрөг* tugrik* тугрик* ₮",
    "AZN": "manat* манат*",
    "MDL": "лей леи леев",
    "RON": "lei leu",
    "SEK": "kronor krona :- skr",
    "DKK": "dkr dkk.",
    "NOK": "nkr",
    "CLP": "clp$ $clp",
    "COP": "cop$ $cop",
    "ARS": "ars$ ar$",
    "KGS": "сом сома сомов сомам som",
    "BDT": "tk tk. taka* টাকা",
    "CRC": "colon* colones",
    "DOP": "rd$ dop$",
    "UYU": "$u",
    "BOB": "bs bs. boliviano*",
    "PYG": "guarani* gs gs.",
    "KWD": "kd k.d. د.ك",
    "BHD": "bd b.d.",
    "OMR": "r.o.",
    "JOD": "jd",
    "ETB": "birr",
}
# Words of several countries' currencies that CLDR does not have as a symbol of all of them.
SHARED = {
    "rs": "PKR:PK LKR:LK NPR:NP MUR:MU SCR:SC INR:",
    "rs.": "PKR:PK LKR:LK NPR:NP MUR:MU SCR:SC INR:",
    "rupee*": "PKR:PK LKR:LK NPR:NP MUR:MU INR:IN",
    "рупи*": "PKR:PK LKR:LK NPR:NP INR:IN",
    "kr": "SEK:SE DKK:DK,GL,FO NOK:NO ISK:IS",
    "kr.": "SEK:SE DKK:DK,GL,FO NOK:NO ISK:IS",
    "kr/": "SEK:SE",
    "крон*": "SEK:SE DKK:DK NOK:NO ISK:IS CZK:CZ",
    "korun*": "CZK:CZ",
    "krone*": "DKK:DK NOK:NO",
    "kroner": "DKK:DK NOK:NO",
    "руб": "BYN:BY RUB:",
    "руб.": "BYN:BY RUB:",
    "рубл*": "BYN:BY RUB:",
    "р": "BYN:BY RUB:",
    "р.": "BYN:BY RUB:",
    "рублёў*": "BYN:BY",
    "peso*": "MXN:MX ARS:AR COP:CO CLP:CL PHP:PH UYU:UY DOP:DO CUP:CU",
    "песо*": "MXN:MX ARS:AR COP:CO CLP:CL PHP:PH",
    "dollar*": "CAD:CA AUD:AU NZD:NZ SGD:SG HKD:HK TWD:TW USD:",
    "lei": "RON:RO MDL:MD",
    "leu": "RON:RO MDL:MD",
    "лей": "RON:RO MDL:",
    "леев": "RON:RO MDL:",
    "леи": "RON:RO MDL:",
    "манат*": "TMT:TM AZN:",
    "manat*": "AZN:AZ TMT:TM",
    "динар*": "RSD:RS MKD:MK TND:TN DZD:DZ KWD:KW JOD:JO",
    "dinar*": "RSD:RS MKD:MK TND:TN DZD:DZ KWD:KW JOD:JO BHD:BH IQD:IQ LYD:LY",
    "дин": "RSD:RS MKD:MK",
    "дин.": "RSD:RS MKD:MK",
    "ден": "MKD:MK",
    "ден.": "MKD:MK",
    "lev": "BGN:BG",
    "лев": "BGN:BG",
    "сом": "KGS:",
    "som": "UZS:UZ KGS:KG",
    "sum": "UZS:UZ",
    "pound*": "EGP:EG GBP:",
    "фунт*": "EGP:EG GBP:",
    "shilling*": "KES:KE UGX:UG TZS:TZ",
    "sh": "KES:KE UGX:UG TZS:TZ",
    "sh.": "KES:KE UGX:UG TZS:TZ",
    "/=": "KES:KE UGX:UG TZS:TZ",
    "franc*": "CHF:CH,LI XOF:CI,SN,BJ,BF,ML,NE,TG XAF:CM,GA,CG,TD",
    "франк*": "CHF:CH,LI XAF:CM",
    "fr": "CHF:CH,LI",
    "fr.": "CHF:CH,LI",
    "dirham*": "AED:AE MAD:MA",
    "дирхам*": "AED:AE MAD:MA",
    "dh": "AED:AE MAD:MA",
    "dhs": "AED:AE MAD:MA",
    "dhs.": "AED:AE MAD:MA",
    "riyal*": "SAR:SA QAR:QA OMR:OM YER:YE",
    "rial*": "OMR:OM IRR:IR",
    "риял*": "SAR:SA QAR:QA",
    "lira*": "TRY:",
    "лир*": "TRY:",
    "rupiah*": "IDR:",
    "le": "EGP:EG",
    "bs": "BOB:BO VES:VE",
    "bs.": "BOB:BO VES:VE",
    "mn": "MXN:MX",
    "m.n.": "MXN:MX",
    "won": "KRW:KR",
    "real": "BRL:BR",
    "nt": "TWD:TW",
    "lv": "BGN:BG",
    "lv.": "BGN:BG",
    "kc": "CZK:CZ",
    "din.": "RSD:RS",
    "leva": "BGN:",
    "dong": "VND:VN",
    "đ": "VND:",
    ":-": "SEK:SE NOK:NO DKK:DK",
    "colon*": "CRC:CR",
    "dram": "AMD:AM",
    "дол.": "USD:",
    "бр": "BYN:BY",
    "tk": "BDT:BD",
    "tk.": "BDT:BD",
    "sole*": "PEN:PE",
    "gs": "PYG:PY",
    "jd": "JOD:JO",
    "kd": "KWD:KW",
    "bd": "BHD:BH",
    "dt": "TND:TN",
    "вон": "KRW:KR",
    "бат*": "THB:TH",
    "драм*": "AMD:",
    "块": "CNY:",
    "pkr": "PKR:",
    "元": "TWD:TW HKD:HK MOP:MO CNY:",
    "fcfa": "XOF:CI,SN,BJ,BF,ML,NE,TG,GW XAF:CM,GA,CG,TD,CF,GQ",
    "cfa": "XOF:CI,SN,BJ,BF,ML,NE,TG,GW XAF:CM,GA,CG,TD,CF,GQ",
    "$": "USD:",
    "¥": "JPY:JP CNY:CN",
}


def main() -> None:
    """Writes currency_words.csv and prints its size."""
    homes = _homes()
    meanings: defaultdict[str, dict[str, str]] = defaultdict(dict)  # word -> currency -> countries, "" for anywhere
    for word, currency, countries in [*_codes(homes), *_names(homes), *_symbols(homes), *_more()]:
        meanings[word].setdefault(currency, countries)
    for word, shared in SHARED.items():
        rows = dict(pair.split(":") for pair in shared.split())
        of_cldr = meanings[word] if word in ("$", "¥") else {}
        meanings[word] = {**of_cldr, **{code: countries.replace(",", " ") for code, countries in rows.items()}}
    rows_out = [
        (word, currency, countries)
        for word in sorted(meanings)
        for currency, countries in sorted(meanings[word].items())
    ]
    with (FOLDER / "currency_words.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([("word", "currency", "countries"), *rows_out])
    print(f"{len(rows_out)} rows, {len(meanings)} words")


def _homes() -> dict[str, list[str]]:
    """The countries of every currency in use, the newest currency of a country only."""
    homes: defaultdict[str, list[str]] = defaultdict(list)
    for territory in sorted(get_global("territory_languages")):
        if len(territory) == 2 and territory.isalpha():
            for currency in get_territory_currencies(territory):
                homes[currency].append(territory)
    return homes


def _codes(homes: dict[str, list[str]]) -> list[tuple[str, str, str]]:
    old = [("rur", "RUB", ""), ("byr", "BYN", ""), ("trl", "TRY", ""), ("bgn", "BGN", "")]
    return [(code.lower(), code, "") for code in sorted(homes)] + old


def _symbols(homes: dict[str, list[str]]) -> list[tuple[str, str, str]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for locale in localedata.locale_identifiers():
        for currency in homes:
            symbol = _folded(get_currency_symbol(currency, locale))
            if symbol and symbol != currency.lower() and symbol not in NO_WORDS:
                found[symbol].add(currency)
    rows = []
    for symbol, currencies in sorted(found.items()):
        default = DEFAULTS.get(symbol, next(iter(currencies)) if len(currencies) == 1 else None)
        rows += [(symbol, code, "" if code == default else " ".join(homes[code])) for code in sorted(currencies)]
    return rows


def _names(homes: dict[str, list[str]]) -> list[tuple[str, str, str]]:
    """Names of several words, which are unambiguous: "US dollars", "канадского доллара"."""
    rows = []
    for locale in map(Locale, NAMES_IN):
        plurals = locale._data["currency_names_plural"]
        for currency in sorted(homes):
            names = {locale.currencies.get(currency, ""), *dict(plurals.get(currency, {})).values()}
            rows += [(_folded(name), currency, "") for name in sorted(names) if 2 <= len(name.split()) <= 3]
    extra = ((f"{word} {land}", code, "") for word in ("доллар", "доллара", "долларов", "долл.")
             for land, code in (("сша", "USD"), ("канады", "CAD"), ("австралии", "AUD")))  # fmt: skip
    russian = ((f"{ours} {word}", "BYN", "") for ours in ("бел.", "бел", "белорусских", "белорусские", "белорусского")
               for word in ("руб", "руб.", "р.", "рублей", "рубля", "рубль"))  # fmt: skip
    return [*rows, *extra, *russian]


def _more() -> list[tuple[str, str, str]]:
    return [(_folded(word), code, "") for code, words in MORE.items() if len(code) == 3 for word in words.split()]


def _folded(word: str) -> str:
    plain = unicodedata.normalize("NFKC", word).lower().replace("ё", "е")
    for quote in "’‘ʻʼ`´":
        plain = plain.replace(quote, "'")
    return " ".join("".join(c for c in plain if unicodedata.category(c) != "Cf").split())


if __name__ == "__main__":
    main()
