/* Plots as SVG; see plot.h. Coordinates are pixels of the view box. */
#include "cmd/plot.h"

#include <math.h>
#include <stdio.h>

#include "model/heads.h"

#define PANEL_W 340
#define PANEL_H 270
#define LEFT 52 /* of the axes inside a panel */
#define TOP 40
#define AXES_W 268
#define AXES_H 180

static const char style[] =
    "<style>"
    ".paper{fill:#ffffff}.ink{fill:#1d2430}.soft{fill:#5b6472}"
    ".axis{stroke:#8a93a3;fill:none}.grid{stroke:#e3e6ec;fill:none}"
    ".ideal{stroke:#8a93a3;stroke-dasharray:4 3;fill:none}"
    ".pos{fill:#c2410c}.neg{fill:#2563eb}.bar{fill-opacity:.55}"
    ".err{stroke:#c2410c;stroke-width:1.2}"
    ".cut{stroke:#1d2430;stroke-dasharray:5 3;fill:none}"
    "text{font-family:system-ui,sans-serif;font-size:11px}"
    ".title{font-size:13px;font-weight:600}"
    "@media(prefers-color-scheme:dark){"
    ".paper{fill:#14181f}.ink{fill:#e6e9ef}.soft{fill:#a3acba}"
    ".axis,.ideal{stroke:#7b8494}.grid{stroke:#2a313c}"
    ".pos{fill:#fb923c}.neg{fill:#60a5fa}.err{stroke:#fb923c}"
    ".cut{stroke:#e6e9ef}}"
    "</style>\n";

/* --- pieces --- */

static void
begin(struct wn_buf *out, size_t panels, const char *what)
{
    size_t rows = (panels + 1) / 2;

    wn_buf_printf(out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %zu\" "
        "width=\"%d\" height=\"%zu\" role=\"img\">\n<title>%s</title>\n%s"
        "<rect class=\"paper\" width=\"100%%\" height=\"100%%\"/>\n",
        2 * PANEL_W, rows * PANEL_H, 2 * PANEL_W, rows * PANEL_H, what, style);
}

static void
begin_panel(struct wn_buf *out, size_t i, const char *title)
{
    wn_buf_printf(out,
        "<g transform=\"translate(%zu %zu)\">\n"
        "<text class=\"ink title\" x=\"%d\" y=\"20\">%s</text>\n",
        i % 2 * PANEL_W, i / 2 * PANEL_H, LEFT, title);
}

static void
put_text(struct wn_buf *out, const char *class, double x, double y,
    const char *anchor, const char *text)
{
    wn_buf_printf(out,
        "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s"
        "</text>\n",
        class, x, y, anchor, text);
}

static void
put_line(struct wn_buf *out, const char *class, double x1, double y1, double x2,
    double y2)
{
    wn_buf_printf(out,
        "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" "
        "y2=\"%.1f\"/>\n",
        class, x1, y1, x2, y2);
}

static void
put_frame(struct wn_buf *out)
{
    wn_buf_printf(out,
        "<rect class=\"axis\" x=\"%d\" y=\"%d\" width=\"%d\" "
        "height=\"%d\"/>\n",
        LEFT, TOP, AXES_W, AXES_H);
}

/* A value in low .. high, clamped, as a place on the axis. */
static double
across(double v, double low, double high)
{
    double share = (fmin(fmax(v, low), high) - low) / (high - low);

    return LEFT + AXES_W * share;
}

static double
up(double v, double low, double high)
{
    double share = (fmin(fmax(v, low), high) - low) / (high - low);

    return TOP + AXES_H * (1 - share);
}

/* --- reliability --- */

#define ODDS 7.6 /* axes end at 0.0005 and 0.9995 */

static double
odds(double p)
{
    return p <= 0 ? -ODDS : p >= 1 ? ODDS : log(p / (1 - p));
}

static void
reliability_axes(struct wn_buf *out)
{
    static const struct {
        double p;
        const char *name;
    } ticks[] = { { 0.001, ".001" }, { 0.01, ".01" }, { 0.1, ".1" },
        { 0.5, ".5" }, { 0.9, ".9" }, { 0.99, ".99" }, { 0.999, ".999" } };

    for (size_t i = 0; i < sizeof(ticks) / sizeof(ticks[0]); i++) {
        double x = across(odds(ticks[i].p), -ODDS, ODDS);
        double y = up(odds(ticks[i].p), -ODDS, ODDS);

        put_line(out, "grid", x, TOP, x, TOP + AXES_H);
        put_line(out, "grid", LEFT, y, LEFT + AXES_W, y);
        put_text(out, "soft", x, TOP + AXES_H + 15, "middle", ticks[i].name);
        put_text(out, "soft", LEFT - 6, y + 4, "end", ticks[i].name);
    }
    put_line(out, "ideal", LEFT, TOP + AXES_H, LEFT + AXES_W, TOP);
    put_frame(out);
    put_text(out, "soft", LEFT + AXES_W / 2, TOP + AXES_H + 32, "middle",
        "said (mean score of a bin)");
    put_text(out, "soft", LEFT, TOP - 6, "start", "came true");
}

static void
reliability_panel(struct wn_buf *out, const struct wn_quality *q)
{
    char text[64];

    reliability_axes(out);
    for (size_t b = 0; b < WN_BINS; b++) {
        const struct wn_bin *bin = &q->bins[b];
        struct wn_range r = wn_wilson(bin->share * (double)bin->n, bin->n);
        double x;

        if (bin->n == 0)
            continue;
        x = across(odds(bin->mean), -ODDS, ODDS);
        put_line(out, "err", x, up(odds(r.low), -ODDS, ODDS), x,
            up(odds(r.high), -ODDS, ODDS));
        wn_buf_printf(out,
            "<circle class=\"pos\" cx=\"%.1f\" cy=\"%.1f\" r=\"3\"/>\n", x,
            up(odds(r.value), -ODDS, ODDS));
    }
    if (isnan(q->ece))
        snprintf(text, sizeof(text), "no rows");
    else
        snprintf(
            text, sizeof(text), "%zu rows, ECE %.4f", q->pos + q->neg, q->ece);
    put_text(out, "soft", LEFT + AXES_W, TOP - 6, "end", text);
}

void
wn_plot_reliability(
    struct wn_buf *out, const struct wn_plot_reliability *panels, size_t n)
{
    begin(out, n, "Reliability of the scores, by head");
    for (size_t i = 0; i < n; i++) {
        begin_panel(out, i, panels[i].title);
        reliability_panel(out, panels[i].q);
        wn_buf_str(out, "</g>\n");
    }
    wn_buf_str(out, "</svg>\n");
}

/* --- histograms --- */

#define BARS 48
#define LOGITS 12.0

struct bars {
    size_t at[2][BARS], n[2]; /* by label */
    double highest;           /* share of a class in one bar */
};

static struct bars
count_bars(const struct wn_plot_scores *p)
{
    struct bars b = { .n = { 0, 0 } };

    for (size_t i = 0; i < p->n; i++) {
        int8_t label = p->labels[i * p->stride];
        double z = fmin(fmax(p->logit[i], -LOGITS), LOGITS);
        size_t bar = (size_t)((z + LOGITS) / (2 * LOGITS) * BARS);

        if (label < 0)
            continue;
        b.at[label][bar < BARS ? bar : BARS - 1]++;
        b.n[label]++;
    }
    for (size_t k = 0; k < 2 * BARS; k++)
        if (b.n[k / BARS] > 0)
            b.highest = fmax(b.highest,
                (double)b.at[k / BARS][k % BARS] / (double)b.n[k / BARS]);
    return b;
}

static void
put_bars(struct wn_buf *out, const struct bars *b, size_t label)
{
    double width = (double)AXES_W / BARS;

    for (size_t i = 0; i < BARS && b->n[label] > 0; i++) {
        double share = (double)b->at[label][i] / (double)b->n[label];
        double y = up(share, 0, b->highest);

        if (b->at[label][i] == 0)
            continue;
        wn_buf_printf(out,
            "<rect class=\"%s bar\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
            "height=\"%.1f\"/>\n",
            label == 1 ? "pos" : "neg", LEFT + width * (double)i, y, width,
            TOP + AXES_H - y);
    }
}

static void
scores_axes(struct wn_buf *out, const struct bars *b)
{
    char text[64];

    for (int z = -12; z <= 12; z += 4) {
        double x = across(z, -LOGITS, LOGITS);

        snprintf(text, sizeof(text), "%d", z);
        put_line(out, "grid", x, TOP, x, TOP + AXES_H);
        put_text(out, "soft", x, TOP + AXES_H + 15, "middle", text);
    }
    put_frame(out);
    put_text(out, "soft", LEFT + AXES_W / 2, TOP + AXES_H + 32, "middle",
        "logit of the score");
    snprintf(text, sizeof(text), "%.0f %%", b->highest * 100);
    put_text(out, "soft", LEFT - 6, TOP + 10, "end", text);
    put_text(out, "soft", LEFT - 6, TOP + AXES_H, "end", "0");
    snprintf(text, sizeof(text), "%zu negative", b->n[0]);
    put_text(out, "neg", LEFT, TOP - 6, "start", text);
    snprintf(text, sizeof(text), "%zu positive", b->n[1]);
    put_text(out, "pos", LEFT + AXES_W, TOP - 6, "end", text);
}

void
wn_plot_scores(
    struct wn_buf *out, const struct wn_plot_scores *panels, size_t n)
{
    begin(out, n, "Scores of both classes and the threshold, by head");
    for (size_t i = 0; i < n; i++) {
        struct bars b = count_bars(&panels[i]);
        double x = across(panels[i].threshold, -LOGITS, LOGITS);

        begin_panel(out, i, panels[i].title);
        put_bars(out, &b, 0);
        put_bars(out, &b, 1);
        scores_axes(out, &b);
        put_line(out, "cut", x, TOP, x, TOP + AXES_H);
        wn_buf_str(out, "</g>\n");
    }
    wn_buf_str(out, "</svg>\n");
}
