"""The words around an amount, in the languages of the boards: bounds, ranges, periods, tax, and money that is not pay.

All are regular expressions for text in lower case, with е for ё, - for dashes and ' for quotes.
"""

UPPER = (
    r"не более|не выше|не больше|максимум|no more than|not more than|less than|up ?to|max(?:imum|\.)?|under|below"
    r"|bis zu|bis"
    r"|до|jusqu'?(?: ?à| ?a)|jusqu|hasta|até|fino a|tot|maximaal|upp till|op til|opp til|do|maks\.?|max|legfeljebb"
    r"|până la"
    r"|pana la|iki|līdz|kuni|a'?z|<|≤"
)  # fmt: skip
LOWER = (
    r"не менее|не ниже|не меньше|минимум|not? less than|at least|starting (?:at|from)|starts? (?:at|from)|more than"
    r"|min(?:imum|\.)?|from|over|above|свыше|более|больше|от|з|від|ab|mindestens|à partir d[e']|a partir d[ei]|dès"
    r"|desde|minimo"
    r"|(?:kv-)?mindest(?:gehalt|lohn|entgelt)(?: von| beträgt)?"
    r"|mínimo|vanaf|od|från|fra|nuo|no|alates|de la|legalább|начиная с|>|≥"
)
# Before a word for pay: "the minimum gross salary is", "минимальный оклад", "Mindestgehalt für diese Position".
MINIMAL = r"minimum|minimal\w*|минимальн\w+|мінімальн\w+|mindest|mínim[oa]|minim[oa]l?"
MAXIMAL = r"maximum|maximal\w*|максимальн\w+|höchst|máxim[oa]|massim[oa]"
BETWEEN = (
    r"between|entre|tra|fra|zwischen|tussen|mellan|mellem|mellom|між|між|между|pomiędzy|między|mezi|medzi|from|von|vom"
    r"|van|de|da|od|od|от|від|із|с|nuo|no"
)
AND = r"and|и|y|e|et|und|en|och|og|i|та|a|à|ve|és|και|ja"
TO = (
    r"-|~|→|>|to|до|по|bis|bis zu|à|a|até|al?|hasta|do|tot|till|til|и до|through|thru|up to|iki|līdz|kuni|ile|până la"
    r"|pana la|-ig"
    r"|\.\.\.?|…|/|至|到|から"
)
OR = r"or|или|oder|ou|o|lub|nebo|або"
OR_MORE = (
    r"(?:\+|и (?:выше|более|больше)|and (?:up|above|more|over)|or (?:more|above|higher)|plus\b|upwards|и вище|y más"
    r"|et plus"
    r"|oder mehr|eller mer)"
)
LOWER_SUFFIX = r"(?:so'm|сўм|сум|теңге|тенге)(?:dan|дан|ден)$"  # from
UPPER_SUFFIX = r"(?:so'm|сўм|сум|теңге|тенге)(?:gacha|ga|гача|га|ге)$"
UPPER_AFTER = r"(?:以下|以内|まで|이하|까지|gacha|дейін|дейин|чейин|max\b|maximum|максимум|maxi\b|'a kadar|kadar|-ig\b)"
LOWER_AFTER = r"(?:以上|이상|부터|から|~$|бастап|баштап|dan boshlab|'den başlayan|-tól|-től|alates|minimum)"

ODD_PERIOD = (
    r"bi[-_ ]?week|every (?:two|2|other) week|fortnight|two weeks|\b2 ?weeks?\b|(?:раз|1) (?:в|за) (?:2|две) недел"
    r"|за две недел"
    r"|twice[-_ ](?:a|per)[-_ ]month|twice monthly|(?:2|two) times (?:a|per) month|semi[-_ ]?month|bi[-_ ]?month"
    r"|quarter|квартал|semester"
    r"|half[- ]year|semi-?annual|bi-?annual|полгода|полугод|trimest|quartal|kwarta|alle zwei wochen|cada dos semanas"
    r"|quincena"
    r"|^(?:[2-9]|\d{2,})[- _](?:months?|weeks?|days?|hours?|years?)"
    r"|one[-_ ]?(?:time|off)|\bonce\b|единоразов|одноразов|единовременн|lump|flat fee|einmalig|jednorazow|\bdecade"
    r"|per[-_ ]visit|for the (?:summer|winter|season|project|duration)|ежедневн|еженедельн"
)  # fmt: skip
# "for 6 months" directly after an amount.
COUNTED_PERIOD = (
    r"(?:for|per|/|за|every|in|на|раз в|pro|por|par|na|each) ?(?:[2-9]|1\d|two|three|six|twelve|два|три|шесть)[- ]?"
    r"(?:months?|weeks?|years?|days|дн\w*|смен\w*|мес\w*|недел\w*|monate?|mois|meses|miesi\w+)\b"
)
PERIODS = (
    ("fly_in_fly_out", r"вахт|fly[-_ ]?in[-_ ]?fly|rotation"),
    ("shift", r"смен[уаые]?\b|\bshift\b|за зміну|\bschicht\b"),
    (
        "service",
        r"за (?:услуг|заказ|проект|выезд|кажд|стать|урок|занят|метр|кв\.?)|/ ?(?:услуг|заказ|проект)"
        r"|\bper[-_ ](?:project|service|task|article|word)\b"
        r"|\bservice\b",
    ),
    (
        "hour",
        r"\bчас\b|часов|\bhour\b|\bhourly\b|\bhrs?\b|\bheure\b|\bstunden?\b|\bstundenlohn|\bstd\b|/ ?[hч]\b|\bp\.?h\b"
        r"|\bper[-_]hour|/ ?ora\b|all'ora|\bhora\b|\bgodz|godzin|\bhod\b|hodin|\buur\b|\btim(?:me|en)?\b"
        r"|\btime[nr]?løn|/ ?time\b"
        r"|\bгод\.|за годину|грн ?/ ?год\b|\bsaat|\bsoat|\bсағат|/ ?hod|/ ?óra|\btund|\bval\b|\bstund[aă]|\boră\b|時給"
        r"|시급|/ ?tunti\b|/ ?jam\b|/ ?giờ\b|小时|小時",
    ),
    (
        "day",
        r"(?:в|за|/) ?(?:день|сутки|смену)|\b(?:per[-_ ]|a )day\b|/ ?day\b|\bdaily\b|\bjour\b|\bpro tag\b|^day$"
        r"|\bp/?d\b|/ ?d[ií]a\b|/ ?giorno\b"
        r"|\bday rate\b"
        r"|\bal día\b|\bpor día\b|\bdzień\b|\bdag\b|\bal giorno\b|/ ?tag\b|\bden\b|\btagessatz|tjm\b|日給|за день"
        r"|на день|/ ?p[äa]ivä|/ ?diena|/ ?nap\b|/ ?zi\b|ημέρα|\bhari\b|ngày|/ ?[天日]|일급",
    ),
    (
        "week",
        r"в неделю|/ ?нед|\b(?:per[-_ ]|a |each )week\b|/ ?(?:week|wk)\b|\bweekly\b|^week$|\bpw\b|\bp/w\b"
        r"|\bpro woche\b|/ ?woche\b"
        r"|\bpar semaine\b|\bsemanal(?:es)?\b|\bpor semana\b|\btydzień|\bper week\b|на тиждень|\bin der woche\b"
        r"|\ba la semana\b|\bveck[ao]|/ ?uke\b|settimana|\bminggu\b|\btuần\b|/ ?[周週]|週給|주급",
    ),
    (
        "month",
        r"(?:в|/|на|за) ?м[еі]с|\bмес\b|месяц|месячн|щомісяч|місяц|\b(?:per[-_]?)?month(?:ly)?\b"
        r"|/ ?(?:mo?n?|mn?th|mnd)\b"
        r"|\bp\.?c?\.?m\.?\b|\bmonate?\b"
        r"|\bmonatlich|monatsgehalt|\bmois\b|\bmensuel|\bmies\b|miesi[eę]|miesięcz|\bmensual(?:es|mente)?\b|\bal mes\b"
        r"|\bpor mes\b|/ ?mes\b"
        r"|\bpor mês\b|/ ?mês\b|\bmensa(?:l|is)\b|\bmensil|\bal mese\b|\bmaand|\bmån|\bmåned|\bměs|\bměsí|\bmesač"
        r"|\bmesiac|\bmesec|\bmjeseč"
        r"|\bhavi\b|\bhónap|/ ?hó\b|\blun[aăi]|/ ?lună|\baylık|\bayda\b|\boyiga\b|\boylik|\bайына|/ ?ай\b|\bkk\b"
        r"|/ ?kk\b|\bkuus\b|\bmēn|\bmėn"
        r"|月薪|月給|월급|/月|每月|/ ?m-?c\b|\bbulan\b|\btháng\b|μήνα|ежемес|в місяць|\bper mensem",
    ),
    (
        "year",
        r"(?:в|/|за) ?год|годов|на рік|річн|/ ?yr?\b|\byr\b|\b(?:per[-_]?)?(?:year(?:ly)?|annual(?:ly)?|annum)\b"
        r"|\bp\.?a\.?\b|\bjahr(?:es|e)?"
        r"|jährlich|\bpar an\b|\bpor año\b|/ ?año|\bal año\b|\banual(?:es|mente)?\b|\bannuel|/ ?an\b|\bannu[io]\b"
        r"|\ball'anno\b|\bral\b|/ ?anno\b"
        r"|\bper jaar\b|/ ?jaar|\bpor ano\b|/ ?ano\b|\bper år\b|\bpr\.? år\b|/ ?år\b|\bårlig|\brok\b|roczn|\broku\b"
        r"|\bročn|\bévi?\b|\bpe an\b|\byıllık"
        r"|\bannées?\b|\btahun\b|/ ?năm\b|/ ?vuosi\b"
        r"|\byiliga|年収|年薪|연봉|/年|\blpa\b|\bote\b|\bctc\b|\bb/a\b|\bk€ ?/ ?an\b|\bper annum\b|\bpro anno\b",
    ),
)  # fmt: skip
NET = (
    r"на руки|\bnet\b|after[- ]tax|take[- ]home|нетто|netto|\bneto[s]?\b|\bnett[oi]\b|\bnets?\b|чистыми"
    r"|после (?:вычета|уплаты|налог|ндфл)"
    r"|на карт|čist|líquido|liquido|netti|į rankas|tax[- ]free|na ruku|qo'lga|қолға"
)
GROSS = (
    r"до (?:вычета|уплаты|удержания)|gross|before tax|pre-tax|брутто|brutto|до налог|до ндфл|грязными|bruto?s?\b"
    r"|\bbrut(?:s|e|es)?\b|lord[oi]"
    r"|\bral\b|bruttó|hrub|\bb/a\b|до сплати"
)

# Money beside the pay, or instead of it.
PERK = (
    r"bonus|бонус|преми[яиюей]|премія|надбав|доплат|prämie|prime\b|\bprimes\b|gratifi|commission|комисси|provision\b"
    r"|provize|prowizj|\bote\b"
    r"|sign[- ]?(?:on|ing)|equity|stock|shares|options|\brsu|опцион|stipends?\b|allowance|perk|benefit|reimburs"
    r"|relocat|релокац|переезд"
    r"|referral|refer a|voucher|gift|gutschein|ticket|401|pension|super(?:annuation)?\b|insur|страхов|медстрах"
    r"|coverage|dental|vision\b|wellness"
    r"|home[- ]office|gym|fitness|фитнес|спорт|обед|питани|meal|lunch|food|transport|commut|проезд|жиль|housing"
    r"|accommodat|связ|мобильн|phone"
    r"|internet|интернет|learning|training|обучени|education|tuition|course|development budget|conference|equipment"
    r"|laptop|технику|hardware|match"
    r"|компенсац|материальн|подарок|подарк|подъемн|больничн|такси|differential|premium|overtime|\btips?\b|чаев"
    r"|per diem|суточн|retention|13\.|zulage"
    r"|tantieme|parking|kita|childcare|bereitschaft|zuschlag|daily allowance|travel|vacation|holiday pay|отпускн|rsu"
    r"|cost of living|profit shar"
    r"|variable|кварт\w* преми|годов\w+ преми|kpi|dodatek|dodatk|příspěv|ajuda|vale[- ]|tickets? resto|мотиваци"
)  # fmt: skip
OTHER_MONEY = (
    r"budget|бюджет|increas|rais(?:e[ds]?|ing)|revenue|funding|funded|average|median|students?|graduates?|\barr\b"
    r"|\baum\b|\bmrr\b|valuation|turnover"
    r"|оборот|выруч|средн|(?<!до )(?<!после )вычет|штраф|quota|deals?\b|in sales|portfolio|loans?|credits?|кредит"
    r"|fund\b|grant|invest|инвест|donat|save[sd]?\b|saving"
    r"|price|cost[s ]|стоимост|цен[аыу]\b|чек\b|fine\b|(?<!flat )fee\b|\beth\b|\bbtc\b|client|customer|клиент|worth"
    r"|market|рын|spend|трат|assets|users|прибыл|profit|settle"
    r"|contribut|tax credit|payroll|процесс|transactions?|managed|under management|saas product|minimum order"
    r"|wages? of our|план\b|план продаж"
)  # fmt: skip
CUE = (
    r"(?:salar(?:y|ies)|compensation|base pay|pay (?:range|rate|band|scale)|\bpay\b|\bpays\b|paying|hourly rate"
    r"|day rate|\brate\b|remuneration|wages?"
    r"|earn(?:ings)?\b|\bbase\b|\bctc\b|зарплат\w*|заработн\w+ плат\w*|\bз/п|\bзп\b|оклад\w*|доход\w*|оплат\w+"
    r"|ставк\w+|заробітн\w+"
    r"|вознаграждени\w+|жалақы|gehalt\w*|jahresgehalt|monatsgehalt|vergütung|\w*lohn\b|entlohnung|verdienst|salaire"
    r"|rémunération|remuneration|salario"
    r"|sueldo|retribuci\w+|remunera\w+|salário|stipendio|retribuzion\w+|compenso|wynagrodzeni\w+|płaca|pensja"
    r"|zarobk\w+|stawka|salaris|loon|\blön\b|löne\w*"
    r"|\bløn\b|lønn|palkka|palk\b|mzda|mzdové|plat\b|plat:|plača|plat[aă]|заплат\w*|salariu|fizetés|bér\b|maaş|ücret|maosh|oylik"
    r"|ish haqi|еңбекақы|айлык|ხელფასი|atalgojums"
    r"|alga\b|atlyginimas|月薪|年薪|給与|年収|연봉|급여|薪资)"
)  # fmt: skip
STATED_AFTER = (
    r"^[^\w\n]{0,3}(?:base )?(?:salary|оклад|на руки|до вычета|base\b|gross|per (?:year|annum|hour|month)|/ ?(?:year"
    r"|yr|hr|hour|month|mo)\b|annually|a year|an hour)"
)
# Numbers with another unit: years of experience, terms, work patterns, dates.
NO_MONEY = (
    r"(?:(?<=[^\w.,'])|^)(?:(?:\d{1,3}(?:[.,]\d)? ?(?:-|to|до|bis) ?)?\d{1,3}(?:[.,]\d)? ?\+? ?-?"
    r"(?:лет\b|год(?:а|ов)\b|років\b|роки\b|years\b|yrs\b|year(?:s|'s|s')? (?:of )?exp\w*|year experience|jahre\b"
    r"|ans\b|años\b|lat\b|let\b"
    r"|months\b|месяц(?:а|ев)\b|monate\b|gehälter|monatsgehälter|salaries|дн(?:ей|я)\b|days\b|tage\b|jours\b|días\b"
    r"|weeks\b|недел[ьи]\b|раза?\b|wochen\b|semaines\b"
    r"|(?:час(?:ов|а)|hours|hrs|ч|stunden|heures|horas|std|godz\w*|timmar|uur|hodin)\b(?: ?(?:/|per|a|в|pro) ?(?:week"
    r"|wk|day|недел\w+|день|нед|woche))?"
    r"|чел\w*|people|employees|сотрудник\w*|mitarbeiter|offices|офис\w*|vacancies|ваканси\w*|положени|дет(?:ей|и)))"
    r"|\b401 ?\(?k\)?|\b403 ?\(?b\)?|\b24 ?/ ?7\b|\b[1-7] ?/ ?[0-7]\b(?!\d)|\b(?:b2b|b2c|c2c|c2h|w2|h1b|1099|1с|1c|s4"
    r"|web ?3|ir ?35)\b"
    r"|\b\d{1,2}[:.]\d{2} ?- ?\d{1,2}[:.]\d{2}\b|\b\d{1,2}:\d{2}\b|\b\d{1,2}\.\d{1,2}\.\d{4}\b|\b\d{4}-\d{2}-\d{2}\b"
    r"|(?:grade|level|band|tier|step|разряд|уровень|этап|gs|tv-?l|tvöd|bat|eg|stufe|loi|art\.?|ст\.?|section|part|zone"
    r"|зона|tier|top|топ)[- ]?\d{1,2}\b(?![.,]\d)"
    # "(m/w/d)": no period
    r"|(?<![\w/€$£])(?<!\d )[mfwvkdhxgnž](?:/[mfwvkdhxgnž]){1,3}(?![\w/])"
    r"|\b\d{1,2}(?:st|nd|rd|th)\b|\+?\d[\d ()-]{10,}\d(?=$|[^\d.,'])(?! \d{3}(?!\d))(?<=\d{2}[- ]\d{2})"
)  # fmt: skip
