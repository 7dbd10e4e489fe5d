"""Invented people for labelled resumes: what each resume says, in English or Russian."""

import datetime as dt
import random
from dataclasses import dataclass, field, replace

from tests.features.sources.resumes.date_styles import STYLES, YEARS_ONLY, Style

AS_OF = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)
_NOW = 2026 * 12 + 10


@dataclass(frozen=True)
class Job:
    """One employment; months count from year 0, `last` is None while it goes on."""

    title: str
    company: str
    city: str
    first: int
    last: int | None
    duties: list[str]


@dataclass(frozen=True)
class Person:
    """What a resume says, and what has to be read out of it."""

    language: str
    name: str
    email: str
    phone: str
    city: str
    place: str  # the city as a header writes it: "Springfield, IL"
    headline: str
    jobs: list[Job]
    skills: list[str]
    dates: Style
    mentioned: list[str] = field(default_factory=list)  # skills that only the duties name
    spoken: list[str] = field(default_factory=list)
    school: str = ""
    studied: tuple[int, int] = (0, 0)
    summary: str = ""

    @property
    def years(self) -> float:
        """Years of employment, overlaps counted once."""
        months = {m for job in self.jobs for m in range(job.first, job.last if job.last is not None else _NOW)}
        return len(months) / 12


_ENGLISH_NAMES = (
    "Dana Reyes", "John Smith", "Priya Raghunathan", "Mary-Ann O'Connor", "Liam de Vries", "Sofia van der Berg",
    "Kwame Mensah", "James R. Whitfield", "Chloé Dubois", "Jürgen Müller", "Paris Holloway", "Wei Zhang",
    "Ayşe Yılmaz", "Austin Brooks", "Fatima Al Mansouri", "Ian McAllister", "Nguyen Thi Lan", "Carlos Eduardo Souza",
    "Grace Okafor", "Tom Baker", "Florence Hill", "Magnus Lindqvist", "Ewa Kowalska", "Hannah Cook", "Oleksandr Bondar",
)  # fmt: skip
_RUSSIAN_NAMES = (
    "Иванова Мария Сергеевна", "Пётр Кузнецов", "Смирнов Алексей Викторович", "Ольга Лебедева", "Ержан Сулейменов",
    "Ахметова Алия Маратовна", "Дмитрий Римский-Корсаков", "Анна Ким", "Гусейнов Рашид Али оглы", "Наталья Мельник",
    "Сергей Повар", "Юлия Королёва", "Тимур Хабибуллин", "Виктория Орлова", "Никита Зайцев", "Шевченко Ирина Павловна",
    "Кирилл Мастеров", "Светлана Ли", "Рустам Каримов", "Екатерина Щукина", "Белов Илья Андреевич", "Вера Город",
)  # fmt: skip
# (city, as a header writes it)
_ENGLISH_PLACES = (
    ("Springfield", "Springfield, IL"), ("Austin", "Austin, TX"), ("London", "London, UK"), ("Berlin",
    "Berlin, Germany"),
    ("Toronto", "Toronto, ON, Canada"), ("Bengaluru", "Bengaluru, Karnataka, India"), ("Dublin", "Dublin, Ireland"),
    ("Amsterdam", "Amsterdam, Netherlands"), ("San Francisco", "San Francisco, CA 94107"), ("Sydney", "Sydney NSW"),
    ("New York", "New York, NY"), ("Warsaw", "Warsaw, Poland"), ("Singapore", "Singapore"), ("Lagos", "Lagos, Nigeria"),
    ("São Paulo", "São Paulo, Brazil"), ("Manchester", "Manchester, United Kingdom"), ("Portland", "Portland, Oregon"),
    ("Almaty", "Almaty, Kazakhstan"), ("Tbilisi", "Tbilisi, Georgia"), ("Paris", "75011 Paris, France"),
    ("Dubai", "Dubai, UAE"), ("Kyiv", "Kyiv, Ukraine"), ("Columbus", "Columbus, Ohio, USA"), ("Leeds", "Leeds"),
)  # fmt: skip
_RUSSIAN_PLACES = (
    ("Казань", "Казань"), ("Санкт-Петербург", "г. Санкт-Петербург"), ("Москва", "Москва, м. Сокол"),
    ("Екатеринбург", "Екатеринбург, Россия"), ("Алматы", "Алматы, Казахстан"), ("Минск", "Минск, Беларусь"),
    ("Новосибирск", "Россия, Новосибирск"), ("Ташкент", "Ташкент, Узбекистан"), ("Нижний Новгород", "Нижний Новгород"),
    ("Мытищи", "Московская обл., Мытищи"), ("Ростов-на-Дону", "Ростов-на-Дону"), ("Астана", "г. Астана, Казахстан"),
    ("Уфа", "Уфа, Башкортостан"), ("Краснодар", "Краснодар, Россия"), ("Бишкек", "Бишкек, Кыргызстан"),
)  # fmt: skip
_ENGLISH_PHONES = (
    "555-123-4567", "(718) 555-0100", "(718) 555–0100", "+1 415.555.2671", "+44 20 7946 0958", "07700 900123",
    "+49 171 1234567", "+33 6 12 34 56 78", "06 12 34 56 78", "+91 98765 43210", "+91-9876543210", "+353 87 123 4567",
    "+31 6 12345678", "+61 412 345 678", "0412 345 678", "+48 512 345 678", "+65 9123 4567", "+234 803 123 4567",
    "+55 (11) 91234-5678", "(11) 91234-5678", "+971 50 123 4567", "+34 612 34 56 78", "+39 312 345 6789",
    "+90 532 123 45 67", "+52 55 1234 5678", "+27 82 123 4567", "0034 600 555 123", "+972 50-234-5678",
)  # fmt: skip
_RUSSIAN_PHONES = (
    "+7 (916) 123-45-67", "8 912 555 43 21", "8(495)123-45-67", "+7-921-555-11-22", "+7 701 234 56 78",
    "+375 29 123-45-67", "+998 90 123 45 67", "+996 555 123 456", "89161234567", "+380 67 123 45 67",
    "+7 916 123–45–67",
    "+995 555 12 34 56", "+374 77 123456", "+994 50 123 45 67",
)  # fmt: skip
PHONES = (*_ENGLISH_PHONES, *_RUSSIAN_PHONES)
# (titles from the newest on, skills, what only duties name)
_ENGLISH_TRADES = (
    (("Senior Backend Developer", "Software Engineer", "Junior Developer"),
     ("Python", "Django", "PostgreSQL", "Docker", "Redis", "Git"), ("Kubernetes", "Kafka")),
    (("Head of Growth", "Marketing Manager", "Content Marketing Specialist"),
     ("SEO", "Google Analytics", "Copywriting", "Email Marketing"), ("HubSpot", "A/B Testing")),
    (("Charge Nurse", "Registered Nurse", "Nursing Assistant"), ("Patient Care", "Microsoft Office"), ()),
    (("Data Science Lead", "Data Scientist", "Data Analyst"),
     ("Python", "SQL", "Pandas", "Machine Learning", "Tableau"), ("Apache Spark", "Airflow")),
    (("VP of Engineering", "Engineering Manager", "Frontend Developer"),
     ("JavaScript", "React", "TypeScript", "Node.js"), ("GraphQL",)),
    (("Product Owner", "Scrum Master", "Business Analyst"), ("Scrum", "Jira", "Confluence", "SQL"), ("Kanban",)),
    (("Restaurant Manager", "Sous Chef", "Line Cook"), ("Food Safety", "Microsoft Excel"), ()),
    (("UX/UI Designer", "Graphic Designer", "Design Intern"), ("Figma", "Adobe Photoshop",
    "Sketch"), ("Adobe Illustrator",)),
    (("Financial Controller", "Senior Accountant", "Accounting Clerk"),
     ("Microsoft Excel", "QuickBooks", "Financial Reporting"), ("SAP",)),
    (("DevOps Engineer", "Systems Administrator", "IT Support Technician"),
     ("Linux", "AWS", "Terraform", "Ansible", "Bash"), ("Jenkins", "Prometheus")),
)  # fmt: skip
_RUSSIAN_TRADES = (
    (("Ведущий разработчик", "Backend-разработчик", "Младший программист"),
     ("Python", "Django", "PostgreSQL", "Docker", "Git"), ("Kafka", "Redis")),
    (("Главный бухгалтер", "Бухгалтер", "Помощник бухгалтера"), ("1С:Бухгалтерия", "Excel", "МСФО"), ()),
    (("Руководитель отдела продаж", "Менеджер по продажам", "Продавец-консультант"), ("CRM",
    "Холодные звонки"), ("Битрикс24",)),
    (("Аналитик данных", "Младший аналитик", "Стажёр-аналитик"), ("SQL", "Python", "Tableau",
    "Power BI"), ("Airflow",)),
    (("Старшая медсестра", "Медсестра", "Санитарка"), ("Инъекции",), ()),
    (("Product Owner", "Системный аналитик", "Специалист поддержки"), ("Jira", "Confluence", "UML", "SQL"), ("BPMN",)),
    (("Шеф-повар", "Су-шеф", "Повар"), ("HACCP",), ()),
    (("Frontend-разработчик", "Верстальщик", "Стажёр"), ("JavaScript", "React", "TypeScript", "HTML",
    "CSS"), ("Webpack",)),
    (("Начальник склада", "Кладовщик", "Комплектовщик"), ("1С", "Инвентаризация"), ()),
    (("Дизайнер интерфейсов", "Графический дизайнер", "Дизайнер"), ("Figma",
    "Adobe Photoshop"), ("Adobe Illustrator",)),
)  # fmt: skip
_ENGLISH_COMPANIES = (
    "Acme GmbH", "Globex Corporation", "Northwind Traders", "Summit Engineering Partners", "Blue Ocean Studio",
    "Initech",
    "St. Mary's Hospital", "Harper & Lane LLP", "KTRN", "Bright Path Academy", "Zeta Bank", "Hooli, Inc.",
    "Umbrella Ltd",
    "Lead Logistics", "Soylent Foods S.A.", "Vandelay Industries", "The Copper Kettle", "Pied Piper",
    "Stark Energy B.V.",
    "Wonka Retail Pty Ltd", "eLane", "Contoso Pvt. Ltd.", "Tyrell Systems", "Oceanic Airlines", "Massive Dynamic",
)  # fmt: skip
_RUSSIAN_COMPANIES = (
    "ООО «Ромашка»", 'ООО "Северный Ветер"', "АО «Уралсбыт»", "ПАО «Волга Банк»", "ИП Сидоров А. В.", "Яблоко Диджитал",
    "ТОО «Степь»", "WebStudio", "ГБУЗ «Городская больница № 4»", "ГК «Альянс»", "Компания «Мастер Дом»",
    "Лаборатория Х",
    "ЗАО «Метиз»", "Кафе «Пряник»", "Тёплый дом", "Nord Systems", "Магазин «Луч»", "ФГУП «Вектор»",
)  # fmt: skip
_ENGLISH_DUTIES = (
    "Led a team of {n} and planned the work of two quarters ahead", "Cut the time of monthly reports by {n} percent",
    "Worked with {skill} every day and taught three colleagues to use it", "Opened {n} new locations in 2021",
    "Introduced {skill} and wrote the rules that the department follows since, which took most of the first year and "
    "was adopted by the other departments", "Answered for a budget of ${n}0,000", "Kept records, trained newcomers",
    "Reduced complaints from customers, managers and partners by {n}% between January and March",
)  # fmt: skip
_RUSSIAN_DUTIES = (
    "Руководил группой из {n} человек, планировал работу на два квартала вперёд", "Сократил срок отчётности на {n} %",
    "Каждый день работал с {skill} и обучил троих коллег", "Открыл {n} новых точек в 2021 году",
    "Внедрил {skill} и написал регламент, по которому отдел работает до сих пор, что заняло почти весь первый год и "
    "было принято другими отделами", "Вёл учёт, обучал новичков, готовил документы",
    "Уменьшил число жалоб клиентов, менеджеров и партнёров на {n} % с января по март",
)  # fmt: skip
_SCHOOLS = {
    "en": ("Leeds University", "Technical University of Berlin", "State College of Ohio", "IIIT Delhi"),
    "ru": ("Казанский федеральный университет", "УрГЭУ", "МГТУ им. Баумана", "Политехнический колледж № 7"),
}
_LETTERS = {
    **dict(zip("абвгдеёжзийклмнопрстуфхцчшщыэюя", (
        "a", "b", "v", "g", "d", "e", "e", "zh", "z", "i", "y", "k", "l", "m", "n", "o", "p", "r", "s", "t", "u", "f",
        "kh", "ts", "ch", "sh", "sch", "y", "e", "yu", "ya"), strict=True)),
    "ь": "", "ъ": "", "é": "e", "ü": "u", "ş": "s", "ı": "i",
}  # fmt: skip


def person(language: str, number: int) -> Person:
    """The person of this number: the same for the same arguments."""
    rng = random.Random(f"{language}{number}")
    is_english = language == "en"
    name = rng.choice(_ENGLISH_NAMES if is_english else _RUSSIAN_NAMES)
    city, place = rng.choice(_ENGLISH_PLACES if is_english else _RUSSIAN_PLACES)
    titles, skills, mentioned = rng.choice(_ENGLISH_TRADES if is_english else _RUSSIAN_TRADES)
    n_jobs = rng.choice((1, 2, 3, 3))
    companies = rng.sample(_ENGLISH_COMPANIES if is_english else _RUSSIAN_COMPANIES, n_jobs)
    jobs = _jobs(rng, titles[:n_jobs], companies, mentioned, language=language)
    dates = rng.choice(STYLES[language])
    if dates in YEARS_ONLY:  # nobody can know the months
        jobs = [replace(job, first=job.first // 12 * 12, last=job.last and job.last // 12 * 12) for job in jobs]
    first = min(job.first for job in jobs) // 12
    spoken = ["English", "Spanish"] if is_english else ["Русский", "Английский"]
    summary = (
        "I like clear goals and finished work. Reliable, curious and good with people."
        if is_english
        else "Люблю ясные цели и законченную работу. Надёжность, внимание к людям."
    )
    return Person(
        language, name, _email(rng, name), rng.choice(_ENGLISH_PHONES if is_english else _RUSSIAN_PHONES), city, place,
        titles[0], jobs, list(skills), dates,
        [one for one in (*mentioned, "PowerPoint") if any(one in duty for job in jobs for duty in job.duties)], spoken,
        rng.choice(_SCHOOLS[language]), (first - 4, first), summary,
    )  # fmt: skip


def _jobs(
    rng: random.Random, titles: tuple[str, ...], companies: list[str], mentioned: tuple[str, ...], *, language: str
) -> list[Job]:
    places, duties = (_ENGLISH_PLACES, _ENGLISH_DUTIES) if language == "en" else (_RUSSIAN_PLACES, _RUSSIAN_DUTIES)
    last: int | None = None if rng.random() < 0.6 else _NOW - rng.randrange(1, 14)
    end = _NOW if last is None else last
    found = []
    for title, company in zip(titles, companies, strict=True):
        first = end - rng.randrange(9, 50)
        chosen = rng.sample(duties, rng.choice((1, 2, 3)))
        written = [one.format(n=rng.randrange(3, 30), skill=rng.choice(mentioned or ("PowerPoint",))) for one in chosen]
        found.append(Job(title, company, rng.choice(places)[0], first, last, written))
        last = end = first - rng.choice((0, 0, 1, 3))
    return found


def _email(rng: random.Random, name: str) -> str:
    bare = "".join(_LETTERS.get(letter, letter) for letter in name.lower())
    words = ["".join(letter for letter in word if letter.isascii() and letter.isalnum()) for word in bare.split()]
    local = rng.choice((".".join(words[:2]), words[0][:1] + words[-1], f"{words[0]}_{rng.randrange(99)}"))
    return f"{local}@{rng.choice(('mail.example', 'post.example.org', 'inbox.example.co.uk'))}"
