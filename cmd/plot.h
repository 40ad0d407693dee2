/*
 * Small plots as SVG: a panel a head, two in a row. They carry their own
 * style, for light and dark pages, and no script, font or link.
 */
#ifndef WN_CMD_PLOT_H
#define WN_CMD_PLOT_H

#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"
#include "model/measure.h"

/* How often what was said with a probability came true, by bins of equal mass
 * with Wilson's intervals, on axes of log-odds: most posts are far from one
 * half. */
struct wn_plot_reliability {
    const char *title; /* ASCII without <, > and & */
    const struct wn_quality *q;
};
void wn_plot_reliability(
    struct wn_buf *out, const struct wn_plot_reliability *panels, size_t n);

/* The logits of both classes, each as shares of its class, and the threshold.
 * What lies beyond the axis is in its last bar. */
struct wn_plot_scores {
    const char *title;
    const double *logit;
    const int8_t *labels; /* stride apart; 1, 0 or -1 */
    size_t n, stride;
    double threshold; /* a logit */
};
void wn_plot_scores(
    struct wn_buf *out, const struct wn_plot_scores *panels, size_t n);

#endif
