#!/usr/bin/env python3
"""Turns a terminal screen into an SVG picture: `tmux capture-pane -e -p | terminal_svg.py TITLE >picture.svg`.

The escape sequences of tmux set colours and styles (SGR). Every run of text gets the width of its cells, so that columns
line up in any monospace font.
"""

import html
import re
import sys
import unicodedata

CELL_WIDTH, CELL_HEIGHT, FONT_SIZE = 8.4, 18, 14
PADDING, BAR = 14, 30
BACKGROUND, BAR_COLOUR, TEXT, QUIET = "#16181b", "#24272c", "#e6e6e3", "#9aa0a8"
# The 16 colours of a terminal, readable on the background.
PALETTE = ["#3b4048", "#ff8f86", "#62d394", "#f2bd5f", "#7fb2ff", "#d8a6ff", "#66d0dc", "#d6d6d2",
           "#7d848e", "#ffb0a9", "#8ee6b4", "#ffd587", "#a8ccff", "#e6c6ff", "#98e4ec", "#ffffff"]


def colour_of(number):
    """One of the 256 colours of xterm."""
    if number < 16:
        return PALETTE[number]
    if number >= 232:
        return "#" + f"{8 + (number - 232) * 10:02x}" * 3
    steps = (0, 95, 135, 175, 215, 255)
    number -= 16
    return "#" + "".join(f"{steps[part]:02x}" for part in (number // 36, number // 6 % 6, number % 6))


def apply(style, codes):
    """Changes the style as an SGR sequence with these codes does."""
    codes = list(codes)
    while codes:
        code = codes.pop(0)
        if code == 0:
            style.clear()
        elif code in (1, 2, 3, 4, 7):
            style[code] = True
        elif code in (22, 23, 24, 27):
            for name in {22: (1, 2), 23: (3,), 24: (4,), 27: (7,)}[code]:
                style.pop(name, None)
        elif code in (38, 48):
            kind = codes.pop(0)
            value = colour_of(codes.pop(0)) if kind == 5 else "#" + "".join(f"{codes.pop(0):02x}" for _ in range(3))
            style["fg" if code == 38 else "bg"] = value
        elif 30 <= code <= 37 or 90 <= code <= 97:
            style["fg"] = PALETTE[code - 30 if code < 90 else code - 82]
        elif 40 <= code <= 47 or 100 <= code <= 107:
            style["bg"] = PALETTE[code - 40 if code < 100 else code - 92]
        elif code in (39, 49):
            style.pop("fg" if code == 39 else "bg", None)


def runs(screen):
    """The screen as (row, column, text, style), and its size in cells."""
    found, style, columns = [], {}, 0
    lines = screen.rstrip().split("\n")
    for row, line in enumerate(lines):
        column = 0
        for part in re.split(r"(\x1b\[[0-9;:]*m)", re.sub(r"\x1b\([A-Z0-9]|[\x0e\x0f]", "", line)):
            if part.startswith("\x1b"):
                apply(style, [int(code or 0) for code in re.split("[;:]", part[2:-1])])
            elif part:
                found.append((row, column, part, dict(style)))
                column += sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in part)
        columns = max(columns, column)
    return found, len(lines), columns


def block(character, x, y, width, attributes):
    """A rectangle: ▁ to █ are eighths of the height from below, ▉ to ▏ eighths of the width from the left."""
    full = CELL_HEIGHT - 2
    number = ord(character) - ord("▁") + 1
    height = full * min(number, 8) / 8
    width = width if number <= 8 else width * (16 - number) / 8
    return f'<rect x="{x:.1f}" y="{y + 1 + full - height:.1f}" width="{width:.1f}" height="{height:.1f}" {" ".join(attributes)}/>'


def element(row, column, text, style):
    x, y = PADDING + column * CELL_WIDTH, BAR + PADDING + row * CELL_HEIGHT
    foreground, background = style.get("fg", TEXT), style.get("bg")
    if style.get(7):
        foreground, background = background or BACKGROUND, foreground
    width = len(text) * CELL_WIDTH
    parts = []
    if background:
        parts.append(f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{CELL_HEIGHT}" fill="{background}"/>')
    attributes = [f'fill="{foreground}"']
    attributes += ['font-weight="bold"'] * bool(style.get(1)) + ['opacity="0.65"'] * bool(style.get(2))
    attributes += ['font-style="italic"'] * bool(style.get(3)) + ['text-decoration="underline"'] * bool(style.get(4))
    # Renderers collapse several spaces, so the text between them is placed by itself. Blocks are drawn, so that they meet.
    for ink in re.finditer(r"█+|[▁-▏]|[^ ▁-▏]+(?: [^ ▁-▏]+)*", text):
        start, length = x + ink.start() * CELL_WIDTH, len(ink[0]) * CELL_WIDTH
        if "▁" <= ink[0][0] <= "▏":
            parts.append(block(ink[0][0], start, y, length, attributes))
        else:
            place = f'x="{start:.1f}" y="{y + 13}" textLength="{length:.1f}"'
            parts.append(f"<text {place} {' '.join(attributes)}>{html.escape(ink[0])}</text>")
    return "".join(parts)


def main():
    title = html.escape(sys.argv[1])
    found, rows, columns = runs(sys.stdin.read())
    width, height = columns * CELL_WIDTH + 2 * PADDING, BAR + rows * CELL_HEIGHT + 2 * PADDING
    dots = "".join(f'<circle cx="{18 + 18 * number}" cy="{BAR / 2}" r="5" fill="{colour}"/>'
                   for number, colour in enumerate(("#ff8f86", "#f2bd5f", "#62d394")))
    print(f'''<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}" role="img" aria-label="{title}">
<rect width="100%" height="100%" rx="8" fill="{BACKGROUND}"/>
<path d="M0 {BAR}V8a8 8 0 0 1 8-8H{width - 8:.0f}a8 8 0 0 1 8 8V{BAR}z" fill="{BAR_COLOUR}"/>{dots}
<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="{FONT_SIZE}">
<text x="{width / 2:.0f}" y="{BAR / 2 + 5:.0f}" text-anchor="middle" fill="{QUIET}">{title}</text>''')
    for run in found:
        text = element(*run)
        if text:
            print(text)
    print("</g>\n</svg>")


if __name__ == "__main__":
    main()
