"""Resumes in the layouts that people use, written for the tests, and what has to be read out of each."""

from typing import Any

HH_EXPORT = """\
Иванова Мария Сергеевна
Женщина, 29 лет, родилась 12 мая 1997

+7 (916) 123-45-67 — предпочитаемый способ связи
maria.ivanova@mail.example

Проживает: Казань
Гражданство: Россия, есть разрешение на работу: Россия
Готова к переезду, готова к командировкам

Желаемая должность и зарплата

Аналитик данных
Специализации:
—  Аналитик

Занятость: полная занятость
График работы: удаленная работа
180 000
₽ на руки

Опыт работы — 5 лет 3 месяца

Март 2022 —
настоящее время
4 года 9 месяцев
ООО «Ромашка»
Казань, romashka.example
Розничная торговля
Аналитик данных
Строю отчёты о продажах, веду витрины данных.
Настроила сверку остатков в 2023 году.

Январь 2019 —
Февраль 2022
3 года 2 месяца
Банк «Пример»
Москва
Младший аналитик
Готовила выгрузки для риск-менеджмента.

Образование

Высшее
2019
Казанский федеральный университет, Казань
Вычислительной математики, Прикладная математика

Ключевые навыки

Знание языков
Русский — Родной
Английский — B2 — Средне-продвинутый

Навыки
Python   SQL   Tableau   Excel

Дополнительная информация

Обо мне
Люблю порядок в данных.
"""

LINKEDIN = """\
Contact
www.linkedin.com/in/jdoe-example (LinkedIn)
jane.doe@mail.example

Top Skills
Kubernetes
Terraform
Incident Management

Languages
English (Native or Bilingual)
German (Limited Working)

Certifications
Certified Kubernetes Administrator

Jane Doe
Site Reliability Engineer at Northwind Cloud
Berlin, Germany

Summary
I keep services up. Twelve years of shell scripts, now mostly Go.

Experience

Northwind Cloud
Site Reliability Engineer
January 2021 - Present (5 years 11 months)
Berlin, Germany
Runs the on-call rotation for a platform of 300 services.

Contoso GmbH
3 years 2 months
Senior Systems Administrator
March 2019 - December 2020 (1 year 10 months)
Moved mail to a managed service.

Systems Administrator
November 2017 - February 2019 (1 year 4 months)

Education
Technical University of Berlin
Bachelor of Science - BS, Computer Science · (2013 - 2017)
"""

RU_PLAIN = """\
РЕЗЮМЕ

ФИО: Петров Алексей Николаевич
Дата рождения: 03.04.1985
Телефон: 8 912 555 43 21
E-mail: petrov@post.example
Адрес: г. Екатеринбург, ул. Ленина, 5

Цель: соискание должности главного бухгалтера

ОПЫТ РАБОТЫ:
с 05.2015 по настоящее время — ООО "Уралсбыт", главный бухгалтер
Обязанности: ведение учёта, сдача отчётности, 1С:Бухгалтерия.
с 09.2010 по 04.2015 — ЗАО "Метиз", бухгалтер
с 2008 по 2010 г. — ИП Сидоров, помощник бухгалтера

ОБРАЗОВАНИЕ:
2002–2007 УрГЭУ, экономический факультет, специальность «Бухгалтерский учёт»
Курсы: МСФО (2012)

ПРОФЕССИОНАЛЬНЫЕ НАВЫКИ:
- 1С:Предприятие (10 лет)
- Excel — продвинутый уровень
- МСФО, опыт 5 лет
- Налоговый учёт

ЗНАНИЕ ЯЗЫКОВ: английский (базовый), немецкий
О СЕБЕ: ответственность, внимательность
"""

EN_MARKDOWN = """\
# John O'Neill
**Full-stack developer** | Dublin, Ireland | [john@oneill.example](mailto:john@oneill.example) | +353 1 555 0123

## Profile
Developer with 9+ years of commercial experience in web products.

## Technical skills
| Skill | Years |
| --- | --- |
| TypeScript | 6 |
| React | 5 years |
| PostgreSQL | 7 |

- **Languages:** JavaScript (9 years), Python (3 yrs), C++
- **Tools:** Docker, AWS – 4 years

## Work experience
### Lead Developer, Shamrock Software Ltd
*2020-03 – present*
- Split a monolith
### Developer @ Emerald Apps
*06/2016 – 02/2020*
- Built the billing

## Education
**BSc Computer Science**, Trinity College Dublin, 2012 – 2016

## Languages
English: native
French: B1
"""

TWO_COLUMNS = """\
SERGEY KUZNETSOV                                   Moscow, Russia
Backend Engineer                                   s.kuznetsov@mail.example
                                                   +7 495 555-01-02

SKILLS                    EXPERIENCE
Go, gRPC, Kafka           Backend Engineer, Marketplace LLC       2021 - now
PostgreSQL, Redis         Junior Backend Engineer, Startup Inc    2019 - 2021
"""

EN_TITLE_ABOVE = """\
Curriculum Vitae
Maria del Carmen Lopez
Nurse
Madrid | m.lopez@mail.example | 0034 600 555 123

WORK HISTORY
Registered Nurse                                  Hospital Central, Madrid
Sept. 2018 – Present
  * Intensive care, 12 beds
Nursing Assistant                                 Clinica Norte
Feb. 2015 – Aug. 2018

EDUCATION & TRAINING
Degree in Nursing, Universidad Complutense, 2014

LANGUAGE SKILLS
Spanish (native), English C1, Portuguese – basic
"""

RU_INLINE = """\
Ольга Смирнова
Frontend-разработчик
Санкт-Петербург
Telegram: @olga_example, olga@smirnova.example, +7-921-555-11-22

О себе
Опыт коммерческой разработки — 6 лет. Пишу на TypeScript и React.

Стек: TypeScript (5 лет), React (4 года), Vue, HTML/CSS, Jest

Опыт
Компания «Северный Ветер» | Ведущий frontend-разработчик | июль 2022 — н.в.
— Дизайн-система
WebStudio, Frontend-разработчик, 02.2020 - 06.2022
Фриланс, верстальщик, 2018 — 2020

Образование
СПбПУ, Информатика, бакалавр, 2014 – 2018

Языки
Русский (родной), English (Upper-Intermediate, B2)
"""

# Suffix, text, and the fields to be read.
SAMPLES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "an export of HH": (
        ".txt",
        HH_EXPORT,
        {
            "full_name": "Иванова Мария Сергеевна",
            "email": "maria.ivanova@mail.example",
            "phone": "+7 (916) 123-45-67",
            "city": "Казань",
            "titles": ["Аналитик данных", "Младший аналитик"],
            "companies": ["ООО «Ромашка»", "Банк «Пример»"],
            "skills": [("Python", None, None), ("SQL", None, None), ("Tableau", None, None), ("Excel", None, None)],
            "education": [
                "Высшее, 2019, Казанский федеральный университет, Казань",
                "Вычислительной математики, Прикладная математика",
            ],
            "languages": ["Русский", "Английский"],
            "years_of_experience": 7.8,
        },
    ),
    "an export of LinkedIn": (
        ".txt",
        LINKEDIN,
        {
            "full_name": "Jane Doe",
            "email": "jane.doe@mail.example",
            "phone": None,
            "titles": ["Site Reliability Engineer", "Senior Systems Administrator", "Systems Administrator"],
            "companies": ["Northwind Cloud", "Contoso GmbH"],
            "skills": [("Kubernetes", None, None), ("Terraform", None, None), ("Incident Management", None, None)],
            "languages": ["English", "German"],
            "years_of_experience": 8.8,
        },
    ),
    "Russian with labels": (
        ".txt",
        RU_PLAIN,
        {
            "full_name": "Петров Алексей Николаевич",
            "phone": "8 912 555 43 21",
            "city": "Екатеринбург",
            "titles": ["главный бухгалтер", "бухгалтер", "помощник бухгалтера"],
            "companies": ['ООО "Уралсбыт"', 'ЗАО "Метиз"', "ИП Сидоров"],
            "skills": [
                ("1С:Предприятие", None, 10.0),
                ("Excel", "advanced", None),
                ("МСФО", None, 5.0),
                ("Налоговый учёт", None, None),
            ],
            "languages": ["английский", "немецкий"],
            "years_of_experience": 18.1,
        },
    ),
    "Markdown with a table of years": (
        ".md",
        EN_MARKDOWN,
        {
            "full_name": "John O'Neill",
            "email": "john@oneill.example",
            "phone": "+353 1 555 0123",
            "titles": ["Full-stack developer", "Lead Developer", "Developer"],
            "companies": ["Shamrock Software Ltd", "Emerald Apps"],
            "skills": [
                ("TypeScript", None, 6.0),
                ("React", None, 5.0),
                ("PostgreSQL", None, 7.0),
                ("JavaScript", None, 9.0),
                ("Python", None, 3.0),
                ("C++", None, None),
                ("Docker", None, None),
                ("AWS", None, 4.0),
            ],
            "education": ["BSc Computer Science, Trinity College Dublin, 2012 – 2016"],
            "languages": ["English", "French"],
            "years_of_experience": 10.3,
        },
    ),
    "two columns": (
        ".txt",
        TWO_COLUMNS,
        {
            "full_name": "Sergey Kuznetsov",
            "phone": "+7 495 555-01-02",
            "titles": ["Backend Engineer", "Junior Backend Engineer"],
            "companies": ["Marketplace LLC", "Startup Inc"],
            "skills": [(name, None, None) for name in ("Go", "gRPC", "Kafka", "PostgreSQL", "Redis")],
            "years_of_experience": 7.8,
        },
    ),
    "titles above dates": (
        ".txt",
        EN_TITLE_ABOVE,
        {
            "full_name": "Maria del Carmen Lopez",
            "phone": "0034 600 555 123",
            "titles": ["Nurse", "Registered Nurse", "Nursing Assistant"],
            "companies": ["Hospital Central", "Clinica Norte"],
            "skills": None,
            "education": ["Degree in Nursing, Universidad Complutense, 2014"],
            "languages": ["Spanish", "English", "Portuguese"],
            "years_of_experience": 11.7,
        },
    ),
    "Russian, an employment a line": (
        ".txt",
        RU_INLINE,
        {
            "full_name": "Ольга Смирнова",
            "email": "olga@smirnova.example",
            "phone": "+7-921-555-11-22",
            "titles": ["Ведущий frontend-разработчик", "Frontend-разработчик", "верстальщик"],
            "companies": ["Компания «Северный Ветер»", "WebStudio", "Фриланс"],
            "skills": [
                ("TypeScript", None, 5.0),
                ("React", None, 4.0),
                ("Vue", None, None),
                ("HTML/CSS", None, None),
                ("Jest", None, None),
            ],
            "languages": ["Русский", "English"],
            "years_of_experience": 8.7,
        },
    ),
}
