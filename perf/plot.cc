#include "perf/plot.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>

#include "perf/text.h"

namespace postern::perf {

namespace {

constexpr double width = 840;
constexpr double caption_height = 40;
constexpr double chart_height = 300;
constexpr double left = 90;
constexpr double right = 20;
constexpr double top = 34;
constexpr double bottom = 52;
constexpr double least_decade = 1e-9;
constexpr std::array<const char*, 4> colours = {"#1b6ca8", "#c8553d", "#3a7d44", "#6b4e9b"};

struct range {
    double low = std::numeric_limits<double>::infinity();
    double high = -std::numeric_limits<double>::infinity();

    void take(double value) {
        low = std::min(low, value);
        high = std::max(high, value);
    }
};

/// A round number (1, 2 or 5 times a power of ten) of which about `count` fit into `span`.
double step_of(double span, double count) {
    const double rough = span / count;
    const double power = std::pow(10.0, std::floor(std::log10(rough)));
    for (const double times : {1.0, 2.0, 5.0}) {
        if (times * power >= rough) {
            return times * power;
        }
    }
    return 10 * power;
}

std::string escaped(const std::string& text) {
    std::string out;
    for (const char c : text) {
        switch (c) {
            case '&':
                out += "&amp;";
                break;
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            default:
                out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
        }
    }
    return out;
}

void put_text(std::string& out, double x, double y, const char* anchor, const std::string& text, int size = 12) {
    put(out, "<text x=\"%.1f\" y=\"%.1f\" font-size=\"%d\" text-anchor=\"%s\">", x, y, size, anchor);
    out += escaped(text) + "</text>\n";
}

void put_rule(std::string& out, double x1, double y1, double x2, double y2) {
    put(out, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"#ddd\"/>\n", x1, y1, x2, y2);
}

/// A number as people write it: 1.5 k, 20 M.
std::string short_number(double value) {
    std::string out;
    const double size = std::fabs(value);
    const auto [divisor, unit] = size >= 1e6   ? std::pair{1e6, " M"}
                                 : size >= 1e4 ? std::pair{1e3, " k"}
                                               : std::pair{1.0, ""};
    put(out, "%.6g%s", value / divisor, unit);
    return out;
}

/// One chart whose upper edge is at `at`.
class drawing {
public:
    drawing(const chart& what, double at) : _what(what), _at(at) {
        for (const auto& each : what.lines) {
            for (const auto& [x, y] : each.points) {
                _x.take(x);
                _y.take(up(y));
            }
        }
        for (const auto& mark : what.x_marks) {
            _x.take(mark.first);
        }
        if (what.y == scale::even) {
            _y.take(0);
        } else {
            _y = {std::floor(_y.low), std::ceil(_y.high)};
        }
        _x.high += _x.high > _x.low ? 0 : 1;
        _y.high += _y.high > _y.low ? 0 : 1;
    }

    void draw(std::string& out) const {
        put_text(out, left, _at + 20, "start", _what.title, 14);
        if (std::all_of(_what.lines.begin(), _what.lines.end(), [](const line& each) { return each.points.empty(); })) {
            put_text(out, left, _at + top + 24, "start", "nothing was measured");
            return;
        }
        draw_x_marks(out);
        draw_y_marks(out);
        put_text(out, (left + width - right) / 2, _at + chart_height - 14, "middle", _what.x_title);
        put(out, "<g transform=\"translate(18 %.1f) rotate(-90)\">", _at + (top + chart_height - bottom) / 2);
        put_text(out, 0, 0, "middle", _what.y_title);
        out += "</g>\n";
        double legend = width - right;
        for (std::size_t i = _what.lines.size(); i-- > 0;) {
            const char* colour = colours[i % colours.size()];
            put(out, "<polyline fill=\"none\" stroke-width=\"1.8\" stroke=\"%s\" points=\"", colour);
            for (const auto& [x, y] : _what.lines[i].points) {
                put(out, "%.1f,%.1f ", across(x), down(up(y)));
            }
            out += "\"/>\n";
            put(out, "<g fill=\"%s\">", colour);
            put_text(out, legend, _at + 20, "end", _what.lines[i].name);
            out += "</g>\n";
            legend -= 7.5 * static_cast<double>(_what.lines[i].name.size()) + 14;
        }
    }

private:
    double up(double value) const { return _what.y == scale::even ? value : std::log10(std::max(value, least_decade)); }
    double across(double x) const { return left + (x - _x.low) / (_x.high - _x.low) * (width - left - right); }
    double down(double y) const {
        return _at + chart_height - bottom - (y - _y.low) / (_y.high - _y.low) * (chart_height - top - bottom);
    }

    void draw_x_marks(std::string& out) const {
        std::vector<std::pair<double, std::string>> marks = _what.x_marks;
        if (marks.empty()) {
            const double step = step_of(_x.high - _x.low, 10);
            for (double x = std::ceil(_x.low / step) * step; x <= _x.high + step / 1000; x += step) {
                marks.emplace_back(x, short_number(x));
            }
        }
        for (const auto& [x, words] : marks) {
            put_rule(out, across(x), _at + top, across(x), _at + chart_height - bottom);
            put_text(out, across(x), _at + chart_height - bottom + 16, "middle", words);
        }
    }

    void draw_y_marks(std::string& out) const {
        const double step = _what.y == scale::decades ? 1 : step_of(_y.high - _y.low, 6);
        for (double y = std::ceil(_y.low / step) * step; y <= _y.high + step / 1000; y += step) {
            put_rule(out, left, down(y), width - right, down(y));
            put_text(out, left - 8, down(y) + 4, "end",
                     short_number(_what.y == scale::decades ? std::pow(10.0, y) : y));
        }
    }

    const chart& _what;
    double _at;
    range _x;
    range _y;
};

}  // namespace

std::string svg(const std::string& caption, const std::vector<chart>& charts) {
    const double height = caption_height + chart_height * static_cast<double>(charts.size());
    std::string out;
    put(out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" height=\"%.0f\" "
        "font-family=\"sans-serif\" fill=\"#222\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
        width, height, width, height);
    put_text(out, left, 26, "start", caption, 14);
    double at = caption_height;
    for (const auto& each : charts) {
        drawing(each, at).draw(out);
        at += chart_height;
    }
    return out + "</svg>\n";
}

}  // namespace postern::perf
