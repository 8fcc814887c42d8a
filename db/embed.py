#!/usr/bin/python3
"""SQL files as C arrays of statements, and the fresh schema made of all updates.

embed.py c OUTPUT DIR      writes the C file from DIR/cluster.sql, DIR/local.sql and DIR/updates/*.sql
embed.py fresh DIR         prints what DIR/cluster.sql must be
embed.py check DIR         fails unless DIR/cluster.sql is that, or if a statement is not allowed
"""
import pathlib
import re
import sqlite3
import sys

HEAD = '-- The schema of a new cluster: all updates together. Made by "db/embed.py fresh"; do not edit.\n\n'


def statements(text):
    """The statements of a file, without comments between them."""
    found, part = [], ''
    for line in text.splitlines():
        if not part.strip() and (not line.strip() or line.startswith('--')):
            continue
        part += line + '\n'
        if sqlite3.complete_statement(part):
            found.append(part.strip().rstrip(';'))
            part = ''
    if part.strip():
        sys.exit(f'unfinished statement: {part}')
    # CREATE TRIGGER ends with END, whose semicolon is none of its own.
    return found


def updates(folder):
    files = sorted(pathlib.Path(folder, 'updates').glob('[0-9]*.sql'))
    for number, path in enumerate(files, 1):
        if int(path.name.split('_')[0]) != number:
            sys.exit(f'{path.name}: expected number {number:04}')
    return [statements(path.read_text()) for path in files]


def fresh(folder):
    base = sqlite3.connect(':memory:')
    base.execute('PRAGMA foreign_keys = ON')
    for update in updates(folder):
        for statement in update:
            base.execute(statement)
    parts = [sql for sql, in base.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL"
                                          " AND name NOT LIKE 'sqlite_%' AND type <> 'trigger' ORDER BY rowid")]
    # Rows before triggers, so that nothing is counted twice; parents before children by age.
    for name, in base.execute("SELECT name FROM sqlite_master WHERE type = 'table'"
                              " AND name NOT LIKE 'sqlite_%' ORDER BY rowid").fetchall():
        columns = [row[1] for row in base.execute(f'PRAGMA table_info({name})')]
        listed = ', '.join(columns)
        quoted = " || ', ' || ".join(f'quote({column})' for column in columns)
        rows = base.execute(f'SELECT {quoted} FROM {name} ORDER BY 1').fetchall()
        parts += [f'INSERT INTO {name} ({listed}) VALUES ({row})' for row, in rows]
    parts += [sql for sql, in base.execute("SELECT sql FROM sqlite_master WHERE type = 'trigger' ORDER BY rowid")]
    return HEAD + ';\n\n'.join(parts) + ';\n'


def check(folder):
    if pathlib.Path(folder, 'cluster.sql').read_text() != fresh(folder):
        sys.exit('cluster.sql is not what the updates give: run db/embed.py fresh')
    # OR REPLACE and OR IGNORE would also rule over the statements of triggers.
    banned = re.compile(r'\b(BOOLEAN|DATE|DATETIME|TIMESTAMP|RETURNING|ATTACH|PRAGMA|OR\s+REPLACE|OR\s+IGNORE)\b')
    sources = [*pathlib.Path(folder, 'updates').glob('*.sql'), *pathlib.Path(folder, '..').glob('*.c')]
    bad = []
    for path in sources:
        text = path.read_text()
        if path.suffix == '.sql':
            text = re.sub(r'--.*', '', text)
        elif path.name.startswith('local'):
            continue
        else:
            text = '\n'.join(re.findall(r'"(?:[^"\\]|\\.)*"', text))
        bad += [f'{path.name}: {word}' for word in banned.findall(text)]
    if bad:
        sys.exit('not allowed in SQL of the cluster database: ' + ', '.join(bad))


def c_string(text):
    lines = text.splitlines(keepends=True)
    quoted = [line.replace('\\', '\\\\').replace('"', '\\"').replace('\n', '\\n').replace('\t', '\\t')
              for line in lines]
    return '\n'.join(f'\t"{line}"' for line in quoted)


def c_array(name, found):
    return f'static const char *const {name}[] = {{\n' + ',\n'.join(map(c_string, found)) + ',\n\tNULL,\n};\n'


def write_c(output, folder):
    every = updates(folder)
    parts = ['/* Made from the SQL files by db/embed.py. */', '#include "db/schema_sql.h"', '', '#include <stddef.h>', '']
    parts.append(c_array('fresh', statements(pathlib.Path(folder, 'cluster.sql').read_text())))
    parts.append(c_array('local', statements(pathlib.Path(folder, 'local.sql').read_text())))
    for number, update in enumerate(every, 1):
        parts.append(c_array(f'update_{number}', update))
    parts.append('static const char *const *const updates[] = {')
    parts += [f'\tupdate_{number},' for number in range(1, len(every) + 1)]
    parts += ['};', '', 'const char *const *const schema_sql_fresh = fresh;',
              'const char *const *const schema_sql_local = local;',
              'const char *const *const *const schema_sql_updates = updates;',
              f'const size_t schema_sql_n_updates = {len(every)};', '']
    pathlib.Path(output).write_text('\n'.join(parts))


mode, *rest = sys.argv[1:]
if mode == 'c':
    write_c(*rest)
elif mode == 'fresh':
    print(fresh(*rest), end='')
else:
    check(*rest)
