"""The words of location texts that name no place, by what they say of the names beside them."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Words beside a place that are not part of its name.
NOISE = _words(
    "remote remotely only hybrid on site onsite in the office offices based anywhere within from greater metropolitan"
    " metro area areas city of citizens residents timezone timezones time zone zones preferred downtown midtown central"
    " center centre western eastern northern southern suburban upstate north south east west inner outer coast fully"
    " 100 work working home wfh must be live located reside residing based location locations candidate candidates"
    " country countries state states province region regions district oblast hq headquarters head main to at for any"
    " all across throughout over near around contiguous mainland continental eligible authorized authorization"
    " legally right hours hour overlap"
    " full part flexible optional possible ok available us-based join our team telecommute nationwide virtual"
    " удаленно удаленная удаленная удаленный удаленка работа гибрид офис г гор город города из в во по на с пгт пос"
    " поселок село деревня рп страна страны любая любой территории область обл область край республика регион только"
    " проживание или можно формат местo районе район р н центр"
    " віддалено місто мiсто область обл қаласы қ облысы shahri viloyati shahar"
    " homeoffice bundesweit standort raum stadt ville ciudad remoto teletrabajo teletravail praca zdalna zdalnie"
)
TIME_ZONES = _words("est edt cst cdt pst pdt mst mdt cet cest eet eest wet gmt utc bst ist et msk")
WORLDWIDE = _words("worldwide global globally anywhere world earth везде мир мире")
ABROAD = _words("abroad кордоном границей рубежом")
# A segment with one of these is an address or a station; the names in it are those of streets.
STREET = _words(
    "ул улица проспект просп пр наб набережная шоссе ш пер переулок бульвар площадь пл тракт street avenue ave road rd"
    " blvd boulevard strasse straße str platz rue via calle parkway drive suite floor этаж корп стр метро station"
    " вул вулиця көшесі"
)
# Words before the places that are excluded, and words that may stand between ("not open to residents of").
EXCLUDING = _words(
    "except excepting excl exclude excludes excluding exception not non outside"
    " кроме вне не исключая исключением пределами крім поза"
)
AFTER_EXCLUDING = _words(
    "in from within of for to the any available open hiring accepting candidates applicants residents citizens people"
    " located based living в во из на с за для граждан граждане кандидаты кандидатов жители жителей резиденты"
    " территории рассматриваем рассматриваются"
)
CONNECTIVES = _words("or and but plus и или но а та або und oder et ou y oraz lub және не")
ALL_NOISE = NOISE | TIME_ZONES | WORLDWIDE | ABROAD | CONNECTIVES | {"м"}
BEFORE_PLACE = EXCLUDING | _words("in from within of across throughout based из в во по на із з у")
# Codes of states and countries that are words of a text in capitals.
SHOUTED_WORDS = _words("in or me ok hi oh la de al as at be by do is it my no so to us am an pa id co")
