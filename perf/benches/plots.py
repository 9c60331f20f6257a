"""Plots as SVG text, a panel for each thing measured: horizontal bars on a logarithmic scale, and curves over one."""

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


def curves(title, panels):
    """`panels`: (heading, [(x over 0, y)]), by x, which is on a logarithmic scale; all panels have one y scale, from 0."""
    wide, tall, edge, gap = 240, 180, 64, 40
    top = max(y for _, points in panels for _, y in points) * 1.1
    parts = []
    for at, (heading, points) in enumerate(panels):
        left, bottom = edge + at * (wide + gap), 70 + tall
        low, high = math.log10(points[0][0]), math.log10(points[-1][0])
        spots = [(left + wide * (math.log10(x) - low) / max(high - low, 1e-9), bottom - tall * y / top, x, y) for x, y in points]
        parts.append(f'<text x="{left}" y="56" font-weight="bold">{escape(heading)}</text>'
                     f'<path d="M{left} {70}V{bottom}H{left + wide}" fill="none" stroke="#9aa5b1"/>'
                     f'<polyline fill="none" stroke="#2a6fb0" stroke-width="2" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y, _, _ in spots)}"/>')
        for x, y, number, value in spots:
            name = f"{number / 1e6:g} M" if number >= 1e6 else f"{number / 1e3:g} k" if number >= 1e3 else f"{number:g}"
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="#2a6fb0"/><text x="{x:.1f}" y="{y - 8:.1f}" text-anchor="middle">{value:,.0f}</text>'
                         f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{name}</text>')
    width, height = edge + len(panels) * (wide + gap), 70 + tall + 36
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="13">'
            f'<rect width="100%" height="100%" fill="white"/><text x="12" y="26" font-size="17">{escape(title)}</text>' + "".join(parts) + "</svg>\n")
