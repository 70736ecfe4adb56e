/* An import's tasks on their way from the socket to the driver thread. */

#include <stdlib.h>
#include <unistd.h>

#include "worker/tasks.h"

#define JOB_MAX		64u

void
task_free(struct task *t)
{
	for (size_t i = 0; t->texts != NULL && t->texts[i] != NULL; i++)
		free(t->texts[i]);
	free(t->texts);
	free((void *)(uintptr_t)t->import.tables);
	free(t->name);
	free(t->mvcc_timestamp);
	if (t->fd != -1)
		(void)close(t->fd);
	*t = (struct task){ .fd = -1 };
}

void
tasks_free(struct tasks *ts)
{
	for (size_t i = 0; i < ts->n; i++)
		task_free(&ts->v[i]);
	ts->n = 0;
}

/* It becomes a part of names in databases. */
static bool
is_job(struct slice job)
{
	for (size_t i = 0; i < job.n; i++) {
		char c = job.p[i];

		if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-'))
			return false;
	}
	return job.n > 0 && job.n <= JOB_MAX;
}

static int
take_import(struct task *t, const struct ipc_import_body *b, struct err *err)
{
	size_t			 n = b->tables.n / 3;
	struct drv_import_table	*tables = calloc(n + 1, sizeof(*tables));

	t->import.tables = tables;
	t->import.ntables = n;
	t->import.keep = b->keep;
	t->import.resumed = b->resumed;
	t->import.ending = b->ending;
	if (b->tables.n % 3 != 0 || !is_job(b->job))
		return err_set(err, ERR_INVALID, "message IMPORT: a job's name or its list of tables makes no sense");
	if (tables == NULL || (t->texts = calloc(b->tables.n + 2, sizeof(*t->texts))) == NULL)
		return err_set(err, ERR_NOMEM, "no memory for the tables of an import");
	for (size_t i = 0; i < b->tables.n; i++)
		if ((t->texts[i] = slice_dup(b->tables.v[i])) == NULL)
			return err_set(err, ERR_NOMEM, "no memory for the tables of an import");
	if ((t->texts[b->tables.n] = slice_dup(b->job)) == NULL)
		return err_set(err, ERR_NOMEM, "no memory for the tables of an import");
	t->import.job = slice_of(t->texts[b->tables.n]);
	for (size_t i = 0; i < n; i++)
		tables[i] = (struct drv_import_table){ .table = slice_of(t->texts[3 * i]),
		    .version = slice_of(t->texts[3 * i + 1]), .schema = slice_of(t->texts[3 * i + 2]) };
	return 0;
}

static int
take_file(struct task *t, const struct ipc_import_file_body *b, struct err *err)
{
	t->file = b->file;
	t->table = b->table;
	t->timestamp_ms = b->timestamp_ms;
	if (t->fd == -1)
		return err_set(err, ERR_INVALID, "message IMPORT_FILE: it came without a file");
	if ((t->name = slice_dup(b->name)) == NULL || (t->mvcc_timestamp = slice_dup(b->mvcc_timestamp)) == NULL)
		return err_set(err, ERR_NOMEM, "no memory for a file of an import");
	return 0;
}

int
tasks_add(struct tasks *ts, enum ipc_type what, const union ipc_body *body, int fd, struct err *err)
{
	struct task	 t = { .what = what, .fd = fd };
	int		 rc = 0;

	if (ts->n == TASKS_MAX)
		rc = err_set(err, ERR_INVALID, "message %s: more than %u tasks at once", ipc_type_name(what), TASKS_MAX);
	else if (what == IPC_IMPORT)
		rc = take_import(&t, &body->import, err);
	else if (what == IPC_IMPORT_FILE)
		rc = take_file(&t, &body->import_file, err);
	if (rc == -1) {
		task_free(&t);
		return -1;
	}
	ts->v[ts->n++] = t;
	return 0;
}

bool
tasks_take(struct tasks *ts, struct task *out)
{
	if (ts->n == 0)
		return false;
	*out = ts->v[0];
	(void)memmove(ts->v, ts->v + 1, --ts->n * sizeof(ts->v[0]));
	return true;
}

bool
tasks_abort_wanted(const struct tasks *ts)
{
	return ts->n > 0 && ts->v[ts->n - 1].what == IPC_IMPORT_ABORT;
}
