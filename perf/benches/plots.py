"""Plots as SVG text: horizontal bars on a logarithmic scale, a panel for each thing measured."""

import math
from xml.sax.saxutils import escape

WIDTH, LABEL, VALUE, ROW, GAP = 720, 120, 110, 22, 44


def bars(title, panels):
    """`panels`: (heading, {name: value over 0}). Each panel's scale begins at the power of ten below its smallest value."""
    parts, y = [], 56
    for heading, values in panels:
        parts.append(f'<text x="12" y="{y}" font-weight="bold">{escape(heading)}</text>')
        y += 12
        top = math.log10(max(values.values()))
        bottom = math.floor(math.log10(min(values.values())))
        room = WIDTH - LABEL - VALUE
        for name, value in sorted(values.items(), key=lambda one: -one[1]):
            length = room * (math.log10(value) - bottom) / max(top - bottom, 1e-9)
            parts.append(f'<text x="{LABEL - 8}" y="{y + 15}" text-anchor="end">{escape(name)}</text>'
                         f'<rect x="{LABEL}" y="{y + 2}" width="{max(length, 1):.1f}" height="{ROW - 5}" fill="{"#2a6fb0" if name == "edge" else "#9aa5b1"}"/>'
                         f'<text x="{LABEL + max(length, 1) + 6:.1f}" y="{y + 15}">{value:,.0f}</text>')
            y += ROW
        y += GAP
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}" viewBox="0 0 {WIDTH} {y}" font-family="sans-serif" font-size="13">'
            f'<rect width="100%" height="100%" fill="white"/><text x="12" y="26" font-size="17">{escape(title)} (logarithmic scale)</text>'
            + "".join(parts) + "</svg>\n")
