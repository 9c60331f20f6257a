"""Lists of any size for whole-process tests: people with names that differ, as LDIF for slapd and as rows of a CSV file.

Person `number` is the same in every run.
"""

from slapd import BASE, entry

FIRST = "Ada Alan Barbara Dennis Donald Dorothy Edsger Grace Hedy Joan Katherine Ken Linus Margaret Mary Radia Tim Vint".split()
SYLLABLES = "ba be bo da de do fa ga ka ke ko la le li lo ma me mi mo na ne no pa pe ra re ri ro sa se so ta te ti to va ve vi wa zo".split()


def person(number):
    """First name, last name and local part."""
    first = FIRST[number % len(FIRST)]
    seed = number * 2654435761 % 2**32
    last = "".join(SYLLABLES[(seed >> shift) % len(SYLLABLES)] for shift in (3, 9, 17)).title()
    return first, last, f"{first}.{last}.{number}".lower()


def people(numbers, unit, domain="example.com", alias_every=4):
    """LDIF of people below ou=UNIT, record by record; every fourth has an alias."""
    for number in numbers:
        first, last, local = person(number)
        aliases = {"proxyAddresses": f"smtp:{alias(number, domain)}"} if alias_every and number % alias_every == 0 else {}
        yield entry(f"cn={local},ou={unit},{BASE}", ["inetOrgPerson", "mailThing"], cn=local, sn=last, givenName=first, mail=f"{local}@{domain}", **aliases)


def alias(number, domain="example.com"):
    return f"a{number:07d}.{person(number)[1].lower()}@{domain}"
