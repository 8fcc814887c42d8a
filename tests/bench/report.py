"""The figures of the benchmark as a table in Markdown and as a picture of the ratios."""
import math
import xml.sax.saxutils


def ratio(theirs, ours):
    return theirs / ours if ours else math.inf


def pairs(result):
    """Name, unit and both medians of what was measured on both, but for the CPU times."""
    for name, ours in result['muster'].items():
        theirs = result['lxd'].get(name)
        if theirs and not name.endswith(', CPU'):
            yield name, ours['unit'], theirs['median'], ours['median']


def table(results, peer):
    lines = []
    for count, result in results.items():
        lines += [f'### {"One server" if count == 1 else f"{count} members"}', '',
                  f'| figure | unit | {peer} | Muster | ratio | ratio of CPU time |', '| --- | --- | --- | --- | --- | --- |']
        for name, unit, theirs, ours in pairs(result):
            cpu = ''
            if name + ', CPU' in result['muster']:
                cpu = f'{ratio(result["lxd"][name + ", CPU"]["median"], result["muster"][name + ", CPU"]["median"]):.1f}'
            lines.append(f'| {name} | {unit} | {theirs:.3g} | {ours:.3g} | {ratio(theirs, ours):.1f} | {cpu} |')
        lines.append('')
    return '\n'.join(lines)


def svg(results):
    """A bar for each ratio on a logarithmic axis; the line is LXD."""
    rows = [(f'{name} ({count})', ratio(theirs, ours))
            for count, result in results.items() for name, _, theirs, ours in pairs(result)]
    left, width, step = 360, 480, 16
    top = max([10] + [r for _, r in rows if r != math.inf])

    def x(value):
        return left + width * (math.log10(max(value, 0.1)) + 1) / (math.log10(top) + 1)

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 80}" height="{len(rows) * step + 30}" '
           'font-family="sans-serif" font-size="11">']
    for n, (name, value) in enumerate(rows):
        y = n * step + 10
        low, high = sorted((x(1), x(value)))
        out.append(f'<text x="{left - 8}" y="{y + 11}" text-anchor="end">{xml.sax.saxutils.escape(name)}</text>'
                   f'<rect x="{low:.1f}" y="{y + 2}" width="{high - low:.1f}" height="{step - 4}" '
                   f'fill="{"#2a7" if value >= 1 else "#c44"}"/>'
                   f'<text x="{high + 4:.1f}" y="{y + 11}">{value:.1f}</text>')
    out.append(f'<line x1="{x(1):.1f}" x2="{x(1):.1f}" y1="5" y2="{len(rows) * step + 12}" stroke="#333"/></svg>')
    return '\n'.join(out) + '\n'
