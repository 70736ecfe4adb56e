#ifndef EDS_METRICS_H
#define EDS_METRICS_H

#include "ipc/base/buf.h"
#include "ipc/base/err.h"

/*
 * What is counted, and its text for Prometheus.  The list is counters.def.  One thread only.
 * Counters may be set as well as added to, for totals that somebody else keeps.
 */
struct metrics;
struct metrics_destination;	/* belongs to its struct metrics */

enum metric {
#define PROCESS_METRIC(id, kind, table, name, help)	METRIC_##id,
#include "supervisor/metrics/counters.def"
	METRIC_N
};

enum destination_metric {
#define DESTINATION_METRIC(id, kind, table, name, help)	DESTINATION_##id,
#include "supervisor/metrics/counters.def"
	DESTINATION_METRIC_N
};

int	 metrics_new(struct metrics **, struct err *) MUST_CHECK;
void	 metrics_free(struct metrics **);

/* Histograms take metrics_observe() only, counters and gauges the other two; anything else is a bug(). */
void	 metrics_set(struct metrics *, enum metric, double);
void	 metrics_add(struct metrics *, enum metric, double);
void	 metrics_observe(struct metrics *, enum metric, double);

/* A counter's or gauge's value; of a histogram the number of observations (for the heartbeat). */
double	 metrics_value(const struct metrics *, enum metric);

/*
 * The series of one destination, created when there are none of that name.  NULL when
 * memory is short; every function below takes NULL and then does nothing, so that a missing figure
 * never stops a destination.  remove() ends the pointer's life.
 */
struct metrics_destination *metrics_destination(struct metrics *, const char *name);
void	 metrics_destination_remove(struct metrics *, const char *name);
void	 metrics_destination_set(struct metrics_destination *, enum destination_metric, double);
void	 metrics_destination_add(struct metrics_destination *, enum destination_metric, double);
void	 metrics_destination_observe(struct metrics_destination *, enum destination_metric, double);
void	 metrics_destination_state(struct metrics_destination *, const char *state);	/* a DESTINATION_STATE */
double	 metrics_destination_value(const struct metrics_destination *, enum destination_metric);

/* Reads the process_* ones from the kernel; what cannot be read keeps its value. */
void	 metrics_read_process(struct metrics *);

/* Appends the text format 0.0.4. */
void	 metrics_render(const struct metrics *, struct buf *);

#endif
