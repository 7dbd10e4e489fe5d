"""Words that tell parts of a resume apart: of occupations, organisations, departments, kinds of employment, labels."""

import re

_ROLE = re.compile(
    r"\b(?:(?:co-?)?founder|developer|engineer|manager|analyst|designer|architect|administrator|admin|consultant"
    r"|director"
    r"|lead|head|intern|internship|specialist|scientist|tester|qa|programmer|devops|sre|accountant|auditor"
    r"|teacher|tutor"
    r"|lecturer|professor|trainer|instructor|nurse|doctor|physician|dentist|therapist|pharmacist|driver|mechanic"
    r"|technician|electrician|welder|carpenter|plumber|chef|cook|waiter|waitress|bartender|barista|cashier|receptionist"
    r"|secretary|salesperson|salesman|sales (?:rep|executive|associate|representative)|marketer|cto|ceo|cfo|coo|cio|cmo"
    r"|ciso|cpo|vp|svp|evp|officer|assistant|coordinator|supervisor|recruiter|writer|copywriter|editor|journalist"
    r"|reporter"
    r"|translator|interpreter|photographer|(?:vice[- ])?president|owner|researcher|operator|clerk|lawyer|attorney"
    r"|paralegal|broker|agent|planner|buyer|strategist|dispatcher|guard|associate|representative|evangelist|advocate"
    r"|master|trainee|apprentice|graduate (?:engineer|trainee)|fellow|postdoc|worker|labourer|laborer|foreman|builder"
    r"|inspector|surveyor|producer|artist|animator|illustrator|stylist|hairdresser|counsell?or|psychologist|librarian"
    r"|curator|economist|statistician|mathematician|physicist|chemist|biologist|geologist|veterinarian|surgeon"
    r"|paramedic"
    r"|midwife|caregiver|carer|nanny|housekeeper|cleaner|janitor|merchandiser|expert|freelancer|contractor|investigator"
    r"|mentor|coach|moderator|controller|comptroller|bookkeeper|treasurer|actuary|adviser|advisor|principal|executive"
    r"|maker|dev|pm|teaching assistant|chair(?:man|woman|person)?|superintendent|handyman|porter|picker|packer|loader"
    r"|volunteer|pilot|steward(?:ess)?|captain|sailor|soldier|sergeant|lieutenant|detective|firefighter"
    r"|разработчи[кц]|программист|инженер|менеджер|аналитик|дизайнер|архитектор|администратор|консультант|директор"
    r"|руководител|стаж[её]р|специалист|тестировщик|верст[а]?льщи|бухгалтер|аудитор|учител|преподавател|воспитател"
    r"|репетитор|врач|фельдшер|медсестра|медбрат|санитар|фармацевт|провизор|психолог|водител|экспедитор|механик|слесар"
    r"|электрик|электромонт[её]р|монтажник|сварщик|токар|фрезеровщик|грузчик|охранник|уборщи[кц]|продав[ец]|маркетолог"
    r"|ассистент|рекрутер|редактор|копирайтер|журналист|переводчик|фотограф|оператор|диспетчер|кассир|(?:шеф-)?повар"
    r"|су-шеф|официант|бармен|бариста|парикмахер|юрист|юрисконсульт|экономист|технолог|начальник|заместител|помощник"
    r"|помощница|мастер|логист|секретар|курьер|кладовщик|комплектовщик|агент|риелтор|супервайзер|промоутер|модератор"
    r"|научный сотрудник|сотрудник|тимлид|техник|лаборант|методист|прораб|бригадир|главный|ведущий|заведующ|управляющ"
    r"|товаровед|мерчендайзер|кадровик|работник|рабочий|разнорабочий|швея|портной|агроном|ветеринар|хирург|терапевт"
    r"|библиотекар|тренер|инструктор|наставник|координатор|исследовател|основател|владелец|эксперт|советник|дизайн-лид"
    r"|тьютор|логопед|дефектолог|няня|сиделка|горничная|портье|сборщик|упаковщик|маляр|штукатур|плотник|столяр|каменщик"
    r"|крановщик|машинист|тракторист|автослесарь|снабженец|закупщик|контент-мейкер|сммщик|таргетолог|трафик-менеджер"
    r"|data (?:science|analytics)|product owner|customer success|human resources)\w{0,4}\b",
    re.IGNORECASE,
)
_LEGAL_FORMS = (
    r"inc|l\.?l\.?c|l\.?l\.?p|ltd|limited|corp|corporation|co|company|plc|gmbh|ag|se|kg|s\.?a|s\.?a\.?s|sarl"
    r"|s\.?l|s\.?r\.?l"
    r"|s\.?p\.?a|b\.?v|n\.?v|oy|ab|a/s|aps|pty|pte|pvt|sp\. z o\.?\s?o|a\.?s|k\.?k|kft|d\.?o\.?o|ltda|bhd|jsc|llp"
)
LEGAL_FORM = re.compile(rf"(?:(?:{_LEGAL_FORMS})\b\.?\s*){{1,3}}", re.IGNORECASE)
_ORGANISATION = re.compile(
    rf"(?:\s|^)(?:{_LEGAL_FORMS})\.?$"
    r"|\b(?:group|holdings?|partners|studios?|labs?|laborator(?:y|ies)|bank|college|institute|school|academy"
    r"|hospital|clinic"
    r"|agency|technologies|systems|solutions|consulting|industries|logistics|airlines|associates|ventures|capital"
    r"|foundation|association|society|restaurant|cafe|hotel|store|shop|media|software|networks|enterprises|foods|motors"
    r"|pharma\w*|freelance|self-employed|universit\w+)$"
    r"|\b(?:university|college|institute|school|academy|bank|ministry|department|hospital) of\b|^(?:university|bank)\b"
    r"|(?:^|\s)(?:ООО|ОАО|ЗАО|ПАО|АО|НАО|ИП|ТОО|ГК|НКО|АНО|ФГУП|ГУП|МУП|ФГБУ\w*|ГБУ\w*|МБУ\w*|ГБОУ|МБОУ|МАОУ|ФГБОУ|ОДО"
    r"|УП|ЧП|ФОП|ТДВ|НИИ|КБ)(?:\s|$)|«"
    r"|^(?:компания|группа|банк|завод|фабрика|магазин|больница|клиника|школа|университет|институт|колледж|лицей|кафе"
    r"|ресторан|студия|агентство|центр|фриланс|самозанят\w+|холдинг|корпорация|лаборатория)\b"
    r"|\b(?:компания|банк|завод|фабрика|больница|клиника|университет|институт|холдинг)$",
    re.IGNORECASE,
)
_DEPARTMENT = re.compile(
    r"(?:the )?(?:(?:global|regional|digital|product|technical|software|data|cloud|mobile|web|content|brand|customer"
    r"|business|core|enterprise|north|south|east|west) )*"
    r"(?:marketing|sales|engineering|operations|products?|r&d|research(?: and development)?|backend|back-end|frontend"
    r"|front-end|full[- ]?stack|infrastructure|platform|mobile|growth|finance|hr|it|emea|apac|latam|amer|americas"
    r"|europe"
    r"|asia|analytics|security|design|development|support|success|strategy|partnerships|communications|procurement"
    r"|logistics|quality(?: assurance)?|[\w& -]{0,30} (?:team|department|division|unit)|(?:отдел|департамент"
    r"|команда)\b.*)",
    re.IGNORECASE,
)
_KIND_OF_EMPLOYMENT = re.compile(
    r"(?:full|part)[- ]?time|remote(?:ly)?|hybrid|on-?site|contract(?:or)?|permanent|temporary|internship|freelance"
    r"|seasonal|volunteer|apprenticeship|полная занятость|частичная занятость|удал[её]нно|удал[её]нная работа|гибрид"
    r"|стажировка|проектная работа|офис|по совместительству|совместительство",
    re.IGNORECASE,
)
_LABELS = (
    (re.compile(r"^(?:(?:job |position )?title|position|role|occupation(?: or position held)?|designation|job"
                r"|должность|позиция|роль)(?:\s*:\s*|\s{3,}|\t)", re.IGNORECASE), "title"),
    (re.compile(r"^(?:(?:name(?: and address)? of )?employer|company(?: name)?|organi[sz]ation|client|firm|компания"
                r"|работодатель|организация|место работы|наименование организации)(?:\s*:\s*|\s{3,}"
                r"|\t)", re.IGNORECASE), "company"),
    (re.compile(r"^(?:dates?(?: of employment)?|period|duration|from|период(?: работы)?|даты|срок)\s*:\s*",
                re.IGNORECASE), "dates"),
    (re.compile(r"^(?:main activities(?: and responsibilities)?|(?:key )?responsibilities|duties|achievements"
                r"|location|city|technologies|tech stack|stack|tools|environment|type of business or sector|department"
                r"|обязанности|должностные обязанности|функции|достижения|стек|технологии|город|сфера деятельности"
                r"|отдел)\b.{0,30}?(?:\s*:\s*|\s*$)", re.IGNORECASE), "body"),
)  # fmt: skip


def names_role(text: str) -> bool:
    """Whether the text has a word for an occupation."""
    return _ROLE.search(text) is not None


def role_score(text: str) -> int:
    """How much a text looks like a job title rather than an organisation: 0 without a word for an occupation."""
    text = re.sub(r"\s*\([^()]*\)$", "", text)
    if not (found := list(_ROLE.finditer(text))):
        return 0
    # English titles end with the occupation or have "of" behind it, Russian ones begin with it.
    at_edge = found[-1].end() == len(text) or re.match(r"\s*(?:,|of\b|[-–(/]|[IVX\d]+$)", text[found[-1].end() :])
    return 2 + 2 * bool(at_edge or found[0].start() == 0) - 3 * names_organisation(text)


def names_organisation(text: str) -> bool:
    """Whether the text has a legal form or a word for a kind of organisation."""
    return _ORGANISATION.search(text) is not None


def is_department(text: str) -> bool:
    """Whether the text is a part of an organisation, such as "Marketing" in "Director, Marketing"."""
    return _DEPARTMENT.fullmatch(text.strip()) is not None


def is_kind_of_employment(text: str) -> bool:
    """Whether the text is a kind of employment, such as "Full-time"."""
    return _KIND_OF_EMPLOYMENT.fullmatch(text.strip(" .")) is not None


def label_of_entry(text: str) -> tuple[str, str] | None:
    """(kind, rest) of a line with a label, such as "Position: Driver"."""
    for pattern, kind in _LABELS:
        if match := pattern.match(text):
            return kind, text[match.end() :]
    return None
