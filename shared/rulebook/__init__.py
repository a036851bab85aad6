"""Pure helpers that the rules of every service share: entries, memory, calendar, money, programme."""
