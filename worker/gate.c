/* Holds events back that do not fit the rules, and says so. */

#include <inttypes.h>
#include <stdlib.h>

#include "ipc/base/hash.h"
#include "worker/gate.h"

int
gate_new(struct gate **gate_r, struct slice rules, const struct log *log, struct err *err)
{
	struct gate	*g = calloc(1, sizeof(*g));

	if (g == NULL)
		return err_set(err, ERR_NOMEM, "no memory for the rules");
	g->log = log;
	if (rules_new(&g->rules, rules, err) == -1) {
		gate_free(&g);
		return -1;
	}
	*gate_r = g;
	return 0;
}

void
gate_free(struct gate **gp)
{
	struct gate	*g = *gp;

	if (g == NULL)
		return;
	rules_free(&g->rules);
	buf_free(&g->path);
	free(g);
	*gp = NULL;
}

/* NULL: there are too many tables to keep them apart, and this one was not among the first. */
static struct gate_complaint *
complaint_about(struct gate *g, struct slice table, enum rules_result result, bool *first_r)
{
	uint64_t	 hash = hash_xxh64(table);

	*first_r = false;
	for (size_t i = 0; i < g->n_complaints; i++)
		if (g->complaints[i].table == hash && g->complaints[i].result == result)
			return &g->complaints[i];
	if (g->n_complaints == GATE_COMPLAINTS)
		return NULL;
	*first_r = true;
	g->complaints[g->n_complaints] = (struct gate_complaint){ .table = hash, .result = result };
	return &g->complaints[g->n_complaints++];
}

static void
complain(struct gate *g, const struct event *ev, const char *what, uint64_t number, enum rules_result result, const char *why)
{
	bool			 first;
	struct gate_complaint	*c = complaint_about(g, ev->table, result, &first);
	/* that a table has no rule is what many an operator wants */
	enum log_level		 level = result == RULES_NONE ? LOG_INFO : LOG_WARN;
	mono_t			 now = mono_now();

	if (c == NULL)
		return;
	if (!first && now < c->again) {
		c->unsaid++;
		return;
	}
	if (first)
		log_write(g->log, level, NULL, "%s %" PRIu64 " of table " SLICE_FMT " is not delivered, nor will others like it be: %s "
		    "(%s)", what, number, SLICE_ARG(ev->table), rules_result_name(result), why);
	else
		log_write(g->log, level, NULL, "%s %" PRIu64 " of table " SLICE_FMT " is not delivered, as %" PRIu64 " before it: %s "
		    "(%s)", what, number, SLICE_ARG(ev->table), c->unsaid, rules_result_name(result), why);
	c->unsaid = 0;
	c->again = now + GATE_QUIET_MS;
}

enum rules_result
gate_check(struct gate *g, const struct event *ev, const char *what, uint64_t number, struct arena *paths, struct slice *path_r,
    const char **why_r)
{
	enum rules_result	 result;

	buf_reset(&g->path);
	*path_r = (struct slice){ NULL, 0 };
	result = rules_check(g->rules, ev, &g->path, why_r);
	if (result == RULES_FIT && g->path.len > 0 && (*path_r = arena_copy(paths, buf_slice(&g->path))).p == NULL)
		return RULES_NOMEM;
	if (result != RULES_FIT && result != RULES_NOMEM)
		complain(g, ev, what, number, result, *why_r);
	return result;
}
