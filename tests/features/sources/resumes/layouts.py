"""Twelve layouts of resumes: each writes a person as a file, (bytes, suffix)."""

import io
from collections.abc import Callable, Mapping

import docx
from docx.oxml import parse_xml

from tests.features.sources.resumes.people import Job, Person
from tests.features.sources.resumes.sheet import MARGIN, WIDTH, Sheet

File = tuple[bytes, str]
_RIGHT = WIDTH - MARGIN
_W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


def _words(person: Person, english: str, russian: str) -> str:
    return english if person.language == "en" else russian


def _dates(person: Person, job: Job) -> str:
    return person.dates(job.first, job.last)


def single_column(person: Person) -> File:
    """Title, company and the dates at the right margin; contacts between bars under the name."""
    sheet = Sheet()
    sheet.put(MARGIN, person.name, font="bold", size=20)
    sheet.down(20)
    sheet.put(MARGIN, person.headline, size=12)
    sheet.down()
    sheet.put(MARGIN, f"{person.place} | {person.email} | {person.phone}")
    sheet.down(24)
    sheet.put(MARGIN, _words(person, "PROFESSIONAL SUMMARY", "О СЕБЕ"), font="bold", size=12)
    sheet.down()
    sheet.paragraph(MARGIN, person.summary, width=_RIGHT - MARGIN)
    sheet.down()
    sheet.put(MARGIN, _words(person, "WORK EXPERIENCE", "ОПЫТ РАБОТЫ"), font="bold", size=12)
    sheet.down()
    for job in person.jobs:
        sheet.put(MARGIN, f"{job.title}, {job.company}", font="bold")
        sheet.put(_RIGHT, _dates(person, job), align="right")
        sheet.down()
        for duty in job.duties:
            sheet.paragraph(MARGIN, duty, width=_RIGHT - MARGIN, bullet="•")
        sheet.down(8)
    sheet.put(MARGIN, _words(person, "EDUCATION", "ОБРАЗОВАНИЕ"), font="bold", size=12)
    sheet.down()
    sheet.put(MARGIN, person.school)
    sheet.put(_RIGHT, f"{person.studied[0]} – {person.studied[1]}", align="right")
    sheet.down(20)
    sheet.put(MARGIN, _words(person, "SKILLS & TOOLS", "НАВЫКИ"), font="bold", size=12)
    sheet.down()
    sheet.paragraph(MARGIN, ", ".join(person.skills), width=_RIGHT - MARGIN)
    sheet.put(MARGIN, _words(person, "Languages: ", "Языки: ") + ", ".join(person.spoken))
    return sheet.saved(), ".pdf"


def _side_column(sheet: Sheet, person: Person, x: float, *, bullet: str) -> None:
    """Contacts, skills and languages one below the other."""
    parts = (
        (_words(person, "Contact", "Контакты"), [person.place, person.phone, person.email]),
        (_words(person, "Skills", "Навыки"), person.skills),
        (_words(person, "Languages", "Языки"), person.spoken),
    )
    for heading, lines in parts:
        sheet.put(x, heading, font="bold", size=12)
        sheet.down(16)
        for each in lines:
            sheet.paragraph(x, each, width=140, bullet=bullet, size=9)
        sheet.down(10)


def side_column_left(person: Person) -> File:
    """Contacts and skills at the left; the company above the title, and the dates below it."""
    sheet = Sheet()
    top = sheet.y
    _side_column(sheet, person, MARGIN, bullet="")
    sheet.y = top
    x = MARGIN + 170
    sheet.put(x, person.name, font="bold", size=22)
    sheet.down(22)
    sheet.put(x, person.headline, size=12)
    sheet.down(26)
    sheet.put(x, _words(person, "Profile", "Обо мне"), font="bold", size=12)
    sheet.down()
    sheet.paragraph(x, person.summary, width=_RIGHT - x)
    sheet.down(10)
    sheet.put(x, _words(person, "Experience", "Опыт работы"), font="bold", size=12)
    sheet.down()
    for job in person.jobs:
        sheet.put(x, job.company, font="bold")
        sheet.down()
        sheet.put(x, job.title, font="italic")
        sheet.down()
        sheet.put(x, _dates(person, job), size=9)
        sheet.down()
        for duty in job.duties:
            sheet.paragraph(x, duty, width=_RIGHT - x, bullet="•")
        sheet.down(8)
    sheet.put(x, _words(person, "Education", "Образование"), font="bold", size=12)
    sheet.down()
    sheet.put(x, f"{person.school}, {person.studied[0]} – {person.studied[1]}")
    return sheet.saved(), ".pdf"


def linkedin(person: Person) -> File:
    """The export of LinkedIn: a narrow left column without the name, durations in brackets, places below dates."""
    sheet = Sheet()
    top = sheet.y
    for heading, lines in (
        (_words(person, "Contact", "Контактная информация"), [person.phone + " (Mobile)", person.email]),
        (_words(person, "Top Skills", "Основные навыки"), person.skills),
        ("Languages", [f"{one} (Full Professional)" for one in person.spoken]),
    ):
        sheet.put(MARGIN - 20, heading, size=13)
        sheet.down(18)
        for each in lines:
            sheet.put(MARGIN - 20, each, size=9)
            sheet.down(13)
        sheet.down(10)
    sheet.y = top
    x = MARGIN + 160
    sheet.put(x, person.name, size=26)
    sheet.down(22)
    sheet.put(x, f"{person.jobs[0].title} at {person.jobs[0].company}", size=12)
    sheet.down()
    sheet.put(x, person.place, size=12)
    sheet.down(28)
    sheet.put(x, _words(person, "Summary", "Общие сведения"), size=16)
    sheet.down(20)
    sheet.paragraph(x, person.summary, width=_RIGHT - x)
    sheet.down(14)
    sheet.put(x, _words(person, "Experience", "Опыт работы"), size=16)
    sheet.down(20)
    for job in person.jobs:
        length = (job.last if job.last is not None else 2026 * 12 + 10) - job.first
        sheet.put(x, job.company, size=12)
        sheet.down()
        sheet.put(x, job.title, size=11.5)
        sheet.down()
        years, months = _words(person, "{} years {} months", "{} года {} мес.").format(*divmod(length, 12)), ""
        sheet.put(x, f"{_dates(person, job)} ({years}{months})")
        sheet.down()
        sheet.put(x, job.city)
        sheet.down()
        for duty in job.duties:
            sheet.paragraph(x, duty, width=_RIGHT - x)
        sheet.down(10)
    sheet.put(x, _words(person, "Education", "Образование"), size=16)
    sheet.down(18)
    sheet.put(x, person.school, size=12)
    sheet.down()
    sheet.put(x, f"Bachelor of Science · ({person.studied[0]} - {person.studied[1]})")
    return sheet.saved(), ".pdf"


def headhunter(person: Person) -> File:
    """The export of HeadHunter: dates in the left margin, company, place and title at the right of them."""
    sheet = Sheet()
    sheet.put(MARGIN, person.name, font="bold", size=22)
    sheet.down(20)
    sheet.put(MARGIN, _words(person, "Female, 31 years, born on 12 May 1995", "Женщина, 31 год, родилась 12 мая 1995"))
    sheet.down(20)
    sheet.put(
        MARGIN, person.phone + _words(person, " — preferred means of communication", " — предпочитаемый способ связи")
    )
    sheet.down()
    sheet.put(MARGIN, person.email)
    sheet.down(20)
    sheet.put(MARGIN, _words(person, "Reside in: ", "Проживает: ") + person.city)
    sheet.down()
    sheet.put(
        MARGIN,
        _words(person, "Ready to relocate, ready for business trips", "Готова к переезду, готова к командировкам"),
    )
    sheet.down(24)
    sheet.put(MARGIN, _words(person, "Desired position and salary", "Желаемая должность и зарплата"), size=12)
    sheet.down(18)
    sheet.put(MARGIN, person.headline, font="bold", size=14)
    sheet.down()
    sheet.put(MARGIN, _words(person, "Specializations:", "Специализации:"))
    sheet.down()
    sheet.put(MARGIN, "—  " + _words(person, "Other", "Другое"))
    sheet.down(24)
    years, months = divmod(round(person.years * 12), 12)
    total = _words(
        person, f"Work experience — {years} years {months} months", f"Опыт работы — {years} года {months} месяцев"
    )
    sheet.put(MARGIN, total, size=12)
    sheet.down(18)
    x = MARGIN + 140
    for job in person.jobs:
        start, _, end = _words(person, "{} —{}", "{} —{}").format(*_split_dates(person, job)).partition("—")
        top, page = sheet.y, sheet.page
        for each in (f"{start.strip()} —", end.strip(), _words(person, "1 year", "1 год")):
            sheet.put(MARGIN, each, size=9)
            sheet.down(13)
        if sheet.page == page:
            sheet.y = top
        sheet.put(x, job.company, font="bold", size=12)
        sheet.down()
        sheet.put(x, job.city, size=9)
        sheet.down(16)
        sheet.put(x, job.title, font="bold", size=12)
        sheet.down()
        for duty in [
            *job.duties,
            _words(person, "Other work that the post asks for.", "Прочие обязанности по должности."),
        ]:
            sheet.paragraph(x, duty, width=_RIGHT - x)
        sheet.down(12)
    sheet.put(MARGIN, _words(person, "Education", "Образование"), size=12)
    sheet.down(18)
    sheet.put(MARGIN, str(person.studied[1]), size=9)
    sheet.put(x, person.school, font="bold", size=12)
    sheet.down(24)
    sheet.put(MARGIN, _words(person, "Key skills", "Ключевые навыки"), size=12)
    sheet.down(18)
    sheet.put(MARGIN, _words(person, "Languages", "Знание языков"), size=9)
    sheet.put(x, f"{person.spoken[0]} — " + _words(person, "Native", "Родной"))
    sheet.down(16)
    sheet.put(MARGIN, _words(person, "Skills", "Навыки"), size=9)
    at = x
    for skill in person.skills:
        sheet.put(at, skill)
        at += 12 + 6 * len(skill) + 8
        if at > _RIGHT - 80:
            sheet.down()
            at = x
    return sheet.saved(), ".pdf"


def _split_dates(person: Person, job: Job) -> tuple[str, str]:
    months = (
        ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
        "December")
        if person.language == "en"
        else ("Январь", "Февраль", "Март", "Апрель", "Май", "Июнь", "Июль", "Август", "Сентябрь", "Октябрь", "Ноябрь",
        "Декабрь")
    )  # fmt: skip

    def point(month: int) -> str:
        return f"{months[month % 12]} {month // 12}"

    return point(job.first), point(job.last) if job.last is not None else _words(person, "till now", "настоящее время")


def europass(person: Person) -> File:
    """Labels at the left, each with its value at the right."""
    sheet = Sheet()
    x = MARGIN + 160

    def row(label: str, value: str) -> None:
        sheet.put(x - 14, label, align="right", size=9)
        if value:
            sheet.paragraph(x, value, width=_RIGHT - x)
        else:
            sheet.down()

    row("Europass", "")
    row("Curriculum Vitae", "")
    sheet.down()
    row(_words(person, "Personal information", "Личная информация"), "")
    row(_words(person, "Surname(s) / First name(s)", "Фамилия / Имя"), person.name)
    row(_words(person, "Address", "Адрес"), person.place)
    row(_words(person, "Telephone(s)", "Телефон"), person.phone)
    row(_words(person, "E-mail", "Эл. почта"), person.email)
    sheet.down()
    row(_words(person, "Desired employment", "Желаемая должность"), person.headline)
    sheet.down()
    row(_words(person, "Work experience", "Опыт работы"), "")
    for job in person.jobs:
        row(_words(person, "Dates", "Период"), _dates(person, job))
        row(_words(person, "Occupation or position held", "Должность"), job.title)
        row(_words(person, "Main activities", "Обязанности"), "; ".join(job.duties))
        row(_words(person, "Name of employer", "Работодатель"), f"{job.company}, {job.city}")
        sheet.down(8)
    row(_words(person, "Education and training", "Образование"), "")
    row(_words(person, "Dates", "Период"), f"{person.studied[0]} – {person.studied[1]}")
    row(_words(person, "Name of organisation", "Учебное заведение"), person.school)
    sheet.down()
    row(_words(person, "Technical skills", "Технические навыки"), ", ".join(person.skills))
    row(_words(person, "Mother tongue", "Родной язык"), person.spoken[0])
    return sheet.saved(), ".pdf"


def docx_table(person: Person) -> File:
    """Word: a table of dates and employments; the name in a table with the contacts."""
    document = docx.Document()
    header = document.add_table(1, 2)
    header.cell(0, 0).text = f"{person.name}\n{person.headline}"
    header.cell(0, 1).text = f"{person.place}\n{person.phone}\n{person.email}"
    document.add_heading(_words(person, "Work Experience", "Опыт работы"), 1)
    table = document.add_table(0, 2)
    for job in person.jobs:
        cells = table.add_row().cells
        cells[0].text = _dates(person, job)
        cells[1].text = "\n".join([job.company, job.title, *(f"- {duty}" for duty in job.duties)])
    document.add_heading(_words(person, "Skills and Abilities", "Ключевые навыки:"), 1)
    grid = document.add_table(0, 3)
    for start in range(0, len(person.skills), 3):
        cells = grid.add_row().cells
        for cell, skill in zip(cells, person.skills[start : start + 3], strict=False):
            cell.text = skill
    document.add_heading(_words(person, "Education and Certifications", "Образование и курсы"), 1)
    document.add_paragraph(f"{person.school}, {person.studied[0]} – {person.studied[1]}")
    return _saved(document), ".docx"


def plain_text(person: Person) -> File:
    """Plain text: the company above "Title · dates"."""
    lines = [
        person.name.upper(),
        " • ".join([person.email, person.phone, person.place]),
        "",
        _words(person, "Technical Skills:", "Навыки:"),
        "; ".join(person.skills),
        "",
        _words(person, "Employment History", "Места работы"),
        "",
    ]
    for job in person.jobs:
        lines += [job.company, f"{job.title} · {_dates(person, job)}", *(f"* {duty}" for duty in job.duties), ""]
    lines += [_words(person, "Education", "Образование"), f"{person.studied[0]}-{person.studied[1]} {person.school}"]
    return "\n".join(lines).encode(), ".txt"


def markdown(person: Person) -> File:
    """Markdown: "Company — Title" with the dates in italics below; contacts as a list with labels."""
    contacts = [
        ("Email", person.email), (_words(person, "Phone", "Телефон"), person.phone),
        (_words(person, "Location", "Город"), person.place),
    ]  # fmt: skip
    lines = [f"# {person.name}", f"*{person.headline}*", "", *(f"- **{a}:** {b}" for a, b in contacts), ""]
    lines += [f"## {_words(person, 'Experience', 'Опыт')}", ""]
    for job in person.jobs:
        lines += [f"### {job.company} — {job.title}", f"_{_dates(person, job)}, {job.city}_", ""]
        lines += [*(f"- {duty}" for duty in job.duties), ""]
    lines += [f"## {_words(person, 'Skills', 'Навыки')}", "", *(f"- {skill}" for skill in person.skills), ""]
    lines += [f"## {_words(person, 'Education', 'Образование')}", "", f"{person.school} ({person.studied[1]})"]
    return "\n".join(lines).encode(), ".md"


def latex(person: Person) -> File:
    """LaTeX: small capitals, ligatures, employments as "company, city" above "title, dates", words one by one."""
    sheet = Sheet()
    middle = WIDTH / 2
    sheet.put(middle, person.name, font="bold", size=24, align="centre")
    sheet.down(18)
    contacts = f"{person.phone} ⋄ {person.email} ⋄ {person.place}".replace("⋄", "|")
    sheet.put(middle, contacts, size=9, align="centre")
    sheet.down(26)

    def heading(english: str, russian: str) -> None:
        sheet.small_capitals(MARGIN, _words(person, english, russian))
        sheet.down(16)

    heading("Education", "Образование")
    sheet.put(MARGIN, person.school, font="bold")
    sheet.put(_RIGHT, f"{person.studied[0]} – {person.studied[1]}", align="right")
    sheet.down(24)
    heading("Work Experience / Projects", "Профессиональный опыт")
    for job in person.jobs:
        sheet.put(MARGIN, job.company, font="bold")
        sheet.put(_RIGHT, job.city, align="right")
        sheet.down()
        sheet.put(MARGIN, job.title, font="italic")
        sheet.put(_RIGHT, _dates(person, job), align="right", font="italic")
        sheet.down()
        for duty in job.duties:
            set_tight = duty.replace("ffi", "ﬃ").replace("fi", "ﬁ").replace("fl", "ﬂ")
            sheet.paragraph(MARGIN + 12, set_tight, width=_RIGHT - MARGIN - 12, bullet="•")
        sheet.down(8)
    heading("Technical Strengths", "Технические навыки")
    sheet.put(MARGIN, _words(person, "Main", "Основные"), font="bold")
    sheet.by_word(MARGIN + 100, ", ".join(person.skills[:3]))
    sheet.down()
    if person.skills[3:]:
        sheet.put(MARGIN, _words(person, "Other", "Прочие"), font="bold")
        sheet.by_word(MARGIN + 100, ", ".join(person.skills[3:]))
    return sheet.saved(), ".pdf"


def side_column_right(person: Person) -> File:
    """A header over the whole width, then employments at the left and skills at the right; "Title | Company"."""
    sheet = Sheet()
    sheet.put(MARGIN, person.name.upper(), font="bold", size=24)
    sheet.down(20)
    sheet.put(MARGIN, person.headline.upper(), size=11)
    sheet.down(24)
    top = sheet.y
    width = 300.0
    sheet.put(MARGIN, _words(person, "EXPERIENCE", "ОПЫТ РАБОТЫ"), font="bold", size=12)
    sheet.down(16)
    for job in person.jobs:
        sheet.put(MARGIN, f"{job.title} | {job.company}", font="bold")
        sheet.down()
        sheet.put(MARGIN, f"{_dates(person, job)}  {job.city}", size=9)
        sheet.down()
        for duty in job.duties:
            sheet.paragraph(MARGIN, duty, width=width, bullet="–")
        sheet.down(8)
    sheet.y = top
    _side_column(sheet, person, MARGIN + 340, bullet="•")
    return sheet.saved(), ".pdf"


def docx_tabs(person: Person) -> File:
    """Word: tabs between company and place, and between title and dates; contacts in a text box."""
    document = docx.Document()
    document.add_paragraph(person.name)
    box = "".join(f"<w:p><w:r><w:t>{one}</w:t></w:r></w:p>" for one in (person.email, person.phone, person.place))
    document.add_paragraph(person.headline)._p.append(
        parse_xml(f"<w:r {_W}><w:pict><w:txbxContent>{box}</w:txbxContent></w:pict></w:r>")
    )
    document.add_paragraph(_words(person, "PROFESSIONAL EXPERIENCE:", "ПРОФЕССИОНАЛЬНЫЙ ОПЫТ:"))
    for job in person.jobs:
        document.add_paragraph(f"{job.company}\t{job.city}")
        document.add_paragraph(f"{job.title}\t{_dates(person, job)}")
        for duty in job.duties:
            document.add_paragraph(duty + ".", style="List Bullet")
    document.add_paragraph(_words(person, "SKILLS & LANGUAGES", "НАВЫКИ И ЯЗЫКИ"))
    document.add_paragraph(", ".join(person.skills))
    document.add_paragraph(_words(person, "EDUCATION", "ОБРАЗОВАНИЕ"))
    document.add_paragraph(f"{person.school}\t{person.studied[0]} – {person.studied[1]}")
    return _saved(document), ".docx"


def one_line_jobs(person: Person) -> File:
    """Plain text: "Title at Company (dates)" on one line, contacts with labels, headings in small letters."""
    at = _words(person, " at ", " в ")
    lines = [
        _words(person, "Resume of ", "Резюме: ") + person.name,
        _words(person, "tel.: ", "тел.: ") + person.phone,
        "e-mail: " + person.email,
        _words(person, "address: ", "адрес: ") + person.place,
        "",
        _words(person, "about me", "о себе"),
        person.summary,
        "",
        _words(person, "work experience", "опыт работы"),
        "",
    ]
    for job in person.jobs:
        lines += [f"{job.title}{at}{job.company} ({_dates(person, job)})", *(f"- {duty}" for duty in job.duties), ""]
    lines += [_words(person, "skills", "навыки"), *person.skills, ""]
    lines += [_words(person, "education", "образование"), f"{person.school}, {person.studied[1]}"]
    return "\n".join(lines).encode("utf-16" if person.language == "ru" else "utf-8"), ".txt"


def _saved(document: "docx.document.Document") -> bytes:
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


LAYOUTS: Mapping[str, Callable[[Person], File]] = {
    layout.__name__: layout
    for layout in (
        single_column, side_column_left, linkedin, headhunter, europass, docx_table, plain_text, markdown, latex,
        side_column_right, docx_tabs, one_line_jobs,
    )
}  # fmt: skip
# Not looked at while the parser was made; their first result is recorded apart.
HELD_OUT = ("latex", "side_column_right", "docx_tabs", "one_line_jobs")
