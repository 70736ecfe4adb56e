/* Counters, gauges and histograms, and how Prometheus wants to read them. */

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "supervisor/metrics/metrics.h"

#define MAX_BUCKETS	11

enum kind { COUNTER, GAUGE, HISTOGRAM };

struct bucket_table {
	size_t	 n;
	double	 bounds[MAX_BUCKETS];
};

#define BUCKETS(table, ...)	static const struct bucket_table buckets_##table = { \
	sizeof((double[]){ __VA_ARGS__ }) / sizeof(double), { __VA_ARGS__ } };
#include "supervisor/metrics/counters.def"
static const struct bucket_table buckets_NONE = { 0, { 0 } };

struct desc {
	enum kind			 kind;
	const struct bucket_table	*buckets;
	const char			*name;
	const char			*help;
};

static const struct desc process_descs[METRIC_N] = {
#define PROCESS_METRIC(id, kind, table, name, help)	{ kind, &buckets_##table, name, help },
#include "supervisor/metrics/counters.def"
};

static const struct desc destination_descs[DESTINATION_METRIC_N] = {
#define DESTINATION_METRIC(id, kind, table, name, help)	{ kind, &buckets_##table, name, help },
#include "supervisor/metrics/counters.def"
};

static const char *const states[] = {
#define DESTINATION_STATE(name)	#name,
#include "supervisor/metrics/counters.def"
};

/* One line, or one histogram, of the output. */
struct series {
	double		 value;			/* of a histogram: the sum             */
	uint64_t	 count;			/* of a histogram                      */
	uint64_t	 bucket[MAX_BUCKETS];	/* each counts what fell into it alone */
};

struct metrics_destination {
	char		*name;
	size_t		 state;			/* index into states[]; NELEM(states): none yet */
	struct series	 series[DESTINATION_METRIC_N];
};

struct metrics {
	struct series			 series[METRIC_N];
	struct metrics_destination	**destinations;
	size_t				 n_destinations;
};

static void
series_change(struct series *s, const struct desc *d, double v)
{
	if (d->kind == HISTOGRAM)
		bug("metric %s is a histogram and was set like a number", d->name);
	s->value = v;
}

static void
series_observe(struct series *s, const struct desc *d, double v)
{
	if (d->kind != HISTOGRAM)
		bug("metric %s is no histogram and was observed like one", d->name);
	s->value += v;
	s->count++;
	for (size_t i = 0; i < d->buckets->n; i++) {
		if (v <= d->buckets->bounds[i]) {
			s->bucket[i]++;
			return;
		}
	}
}

static double
series_value(const struct series *s, const struct desc *d)
{
	return d->kind == HISTOGRAM ? (double)s->count : s->value;
}

/* When the process started, in seconds since 1970, from /proc; 0 when that cannot be read. */
static double
process_started(void)
{
	char			 line[1024], *p;
	unsigned long long	 ticks = 0, boot = 0;
	FILE			*f;

	if ((f = fopen("/proc/self/stat", "re")) == NULL)
		return 0;
	/* the 22nd field; counting starts behind the program's name, which may hold anything */
	if (fgets(line, sizeof(line), f) != NULL && (p = strrchr(line, ')')) != NULL)
		(void)sscanf(p + 1, " %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu", &ticks);
	(void)fclose(f);
	if ((f = fopen("/proc/stat", "re")) == NULL)
		return 0;
	while (boot == 0 && fgets(line, sizeof(line), f) != NULL)
		(void)sscanf(line, "btime %llu", &boot);
	(void)fclose(f);
	if (ticks == 0 || boot == 0)
		return 0;
	return (double)boot + (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

int
metrics_new(struct metrics **m_r, struct err *err)
{
	struct metrics	*m;

	if ((m = calloc(1, sizeof(*m))) == NULL)
		return err_set(err, ERR_NOMEM, "no memory for the metrics");
	m->series[METRIC_START_TIME].value = process_started();
	*m_r = m;
	return 0;
}

static void
destination_free(struct metrics_destination *d)
{
	free(d->name);
	free(d);
}

void
metrics_free(struct metrics **mp)
{
	struct metrics	*m = *mp;

	if (m == NULL)
		return;
	for (size_t i = 0; i < m->n_destinations; i++)
		destination_free(m->destinations[i]);
	free(m->destinations);
	free(m);
	*mp = NULL;
}

void
metrics_set(struct metrics *m, enum metric id, double v)
{
	series_change(&m->series[id], &process_descs[id], v);
}

void
metrics_add(struct metrics *m, enum metric id, double v)
{
	series_change(&m->series[id], &process_descs[id], m->series[id].value + v);
}

void
metrics_observe(struct metrics *m, enum metric id, double v)
{
	series_observe(&m->series[id], &process_descs[id], v);
}

double
metrics_value(const struct metrics *m, enum metric id)
{
	return series_value(&m->series[id], &process_descs[id]);
}

static size_t
destination_index(const struct metrics *m, const char *name)
{
	size_t	 i = 0;

	while (i < m->n_destinations && strcmp(m->destinations[i]->name, name) != 0)
		i++;
	return i;
}

struct metrics_destination *
metrics_destination(struct metrics *m, const char *name)
{
	struct metrics_destination	 *d, **more;
	size_t				  i = destination_index(m, name);

	if (i < m->n_destinations)
		return m->destinations[i];
	if ((more = realloc(m->destinations, (m->n_destinations + 1) * sizeof(*more))) == NULL)
		return NULL;
	m->destinations = more;
	if ((d = calloc(1, sizeof(*d))) == NULL)
		return NULL;
	if ((d->name = strdup(name)) == NULL) {
		free(d);
		return NULL;
	}
	d->state = NELEM(states);
	m->destinations[m->n_destinations++] = d;
	return d;
}

void
metrics_destination_remove(struct metrics *m, const char *name)
{
	size_t	 i = destination_index(m, name);

	if (i == m->n_destinations)
		return;
	destination_free(m->destinations[i]);
	m->n_destinations--;
	for (; i < m->n_destinations; i++)
		m->destinations[i] = m->destinations[i + 1];
}

void
metrics_destination_set(struct metrics_destination *d, enum destination_metric id, double v)
{
	if (d != NULL)
		series_change(&d->series[id], &destination_descs[id], v);
}

void
metrics_destination_add(struct metrics_destination *d, enum destination_metric id, double v)
{
	if (d != NULL)
		series_change(&d->series[id], &destination_descs[id], d->series[id].value + v);
}

void
metrics_destination_observe(struct metrics_destination *d, enum destination_metric id, double v)
{
	if (d != NULL)
		series_observe(&d->series[id], &destination_descs[id], v);
}

void
metrics_destination_state(struct metrics_destination *d, const char *state)
{
	if (d == NULL)
		return;
	for (size_t i = 0; i < NELEM(states); i++) {
		if (strcmp(states[i], state) == 0) {
			d->state = i;
			return;
		}
	}
	bug("\"%s\" is no state of a destination that counters.def knows", state);
}

double
metrics_destination_value(const struct metrics_destination *d, enum destination_metric id)
{
	return d == NULL ? 0 : series_value(&d->series[id], &destination_descs[id]);
}

static bool
resident_bytes(double *bytes_r)
{
	unsigned long long	 pages;
	FILE			*f;
	bool			 ok;

	if ((f = fopen("/proc/self/statm", "re")) == NULL)
		return false;
	ok = fscanf(f, "%*s %llu", &pages) == 1;
	(void)fclose(f);
	if (ok)
		*bytes_r = (double)pages * (double)sysconf(_SC_PAGESIZE);
	return ok;
}

static bool
open_descriptors(double *n_r)
{
	struct dirent	*e;
	DIR		*dir;
	double		 n = 0;

	if ((dir = opendir("/proc/self/fd")) == NULL)
		return false;
	while ((e = readdir(dir)) != NULL) {
		if (e->d_name[0] != '.')
			n++;
	}
	(void)closedir(dir);
	*n_r = n - 1;		/* without the one this function looked through */
	return true;
}

void
metrics_read_process(struct metrics *m)
{
	struct rusage	 ru;

	if (getrusage(RUSAGE_SELF, &ru) == 0) {
		m->series[METRIC_CPU_SECONDS].value = (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
		    (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6;
	}
	(void)resident_bytes(&m->series[METRIC_RESIDENT_MEMORY].value);
	(void)open_descriptors(&m->series[METRIC_OPEN_FDS].value);
}

/* The shortest of the usual texts that reads back as the same number. */
static void
render_number(struct buf *out, double v)
{
	char	 text[40];

	if (isnan(v)) {
		buf_adds(out, "NaN");
		return;
	}
	if (isinf(v)) {
		buf_adds(out, v > 0 ? "+Inf" : "-Inf");
		return;
	}
	if (v == floor(v) && fabs(v) < 1e15) {
		buf_printf(out, "%.0f", v);
		return;
	}
	for (int digits = 15; digits <= 17; digits++) {
		(void)snprintf(text, sizeof(text), "%.*g", digits, v);
		if (strtod(text, NULL) == v)
			break;
	}
	buf_adds(out, text);
}

/* \ and line feeds everywhere, quotes in label values only. */
static void
render_escaped(struct buf *out, const char *text, bool in_label)
{
	for (; *text != '\0'; text++) {
		if (*text == '\n') {
			buf_adds(out, "\\n");
			continue;
		}
		if (*text == '\\' || (in_label && *text == '"'))
			buf_addc(out, '\\');
		buf_addc(out, *text);
	}
}

/* {destination="d",key="value"}; d and key may be NULL. */
static void
render_labels(struct buf *out, const char *destination, const char *key, const char *value)
{
	if (destination == NULL && key == NULL)
		return;
	buf_addc(out, '{');
	if (destination != NULL) {
		buf_adds(out, "destination=\"");
		render_escaped(out, destination, true);
		buf_adds(out, key == NULL ? "\"" : "\",");
	}
	if (key != NULL) {
		buf_printf(out, "%s=\"", key);
		render_escaped(out, value, true);
		buf_addc(out, '"');
	}
	buf_addc(out, '}');
}

static void
render_line(struct buf *out, const char *name, const char *suffix, const char *destination, const char *key,
    const char *value, double v)
{
	buf_adds(out, name);
	buf_adds(out, suffix);
	render_labels(out, destination, key, value);
	buf_addc(out, ' ');
	render_number(out, v);
	buf_addc(out, '\n');
}

static void
render_series(struct buf *out, const struct desc *d, const struct series *s, const char *destination)
{
	struct buf	 le = { 0 };
	uint64_t	 below = 0;

	if (d->kind != HISTOGRAM) {
		render_line(out, d->name, "", destination, NULL, NULL, s->value);
		return;
	}
	for (size_t i = 0; i < d->buckets->n; i++) {
		below += s->bucket[i];
		buf_reset(&le);
		render_number(&le, d->buckets->bounds[i]);
		render_line(out, d->name, "_bucket", destination, "le", buf_cstr(&le), (double)below);
	}
	out->oom = out->oom || le.oom;
	buf_free(&le);
	render_line(out, d->name, "_bucket", destination, "le", "+Inf", (double)s->count);
	render_line(out, d->name, "_sum", destination, NULL, NULL, s->value);
	render_line(out, d->name, "_count", destination, NULL, NULL, (double)s->count);
}

static void
render_head(struct buf *out, const char *name, const char *help, enum kind kind)
{
	static const char *const kinds[] = { [COUNTER] = "counter", [GAUGE] = "gauge", [HISTOGRAM] = "histogram" };

	buf_printf(out, "# HELP %s ", name);
	render_escaped(out, help, false);
	buf_printf(out, "\n# TYPE %s %s\n", name, kinds[kind]);
}

static void
render_states(const struct metrics *m, struct buf *out)
{
	const char	*name = "eds_destination_state";

	render_head(out, name, "The state a destination is in: 1 for the present one, 0 for the others.", GAUGE);
	for (size_t i = 0; i < m->n_destinations; i++) {
		const struct metrics_destination *d = m->destinations[i];

		for (size_t s = 0; s < NELEM(states); s++)
			render_line(out, name, "", d->name, "state", states[s], d->state == s ? 1 : 0);
	}
}

void
metrics_render(const struct metrics *m, struct buf *out)
{
	for (size_t id = 0; id < METRIC_N; id++) {
		const struct desc *d = &process_descs[id];

		render_head(out, d->name, d->help, d->kind);
		render_series(out, d, &m->series[id], NULL);
	}
	if (m->n_destinations == 0)
		return;
	for (size_t id = 0; id < DESTINATION_METRIC_N; id++) {
		const struct desc *d = &destination_descs[id];

		render_head(out, d->name, d->help, d->kind);
		for (size_t i = 0; i < m->n_destinations; i++)
			render_series(out, d, &m->destinations[i]->series[id], m->destinations[i]->name);
	}
	render_states(m, out);
}
