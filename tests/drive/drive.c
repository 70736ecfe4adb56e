/*
 * A driver by hand: commands on standard input, one JSON object a line, each answered with one on standard output.
 * Tests of a destination drive its module with it, without a supervisor and worker around:
 *
 *	{"do": "open", "url": ..., "strategy": "standard", "session": "", "data_dir": "/tmp", "schemas": {"order/v1": "{...}"}}
 *	{"do": "deliver", "events": ["{...}", ...]}	{"do": "import_file", "table": 0, "path": ...}
 *	{"do": "import_begin", "job": ..., "tables": ["order/v1", ...], "keep": false, "resumed": false, "ending": false}
 *	and validate, test, import_commit, import_end, import_abort, idle, stop (the worker is to end), close
 *
 * The answer has `result` ("stored", "retry" ...), `error`, `index` of a rejected event, and the table
 * `versions` announced so far.  The log goes to standard error.
 */

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "drivers/driver.h"
#include "tests/support/host_stub.h"
#include "worker/module.h"

struct desk {
	const struct driver	*driver;
	struct drv		*drv;
	struct log		 log;
	struct drv_host		 host;
	struct drv_env		 env;
	json_t			*settings;	/* the command that opened it; env points into it */
	struct host_stub	 stub;
};

static const char *const	results[] = { "stored", "retry", "unsure", "reject", "config", "broken" };

static void
log_line(void *arg, enum log_level level, const char *prefix, const char *text, const char *json)
{
	(void)arg;
	(void)json;
	(void)fprintf(stderr, "[%s] %s%s\n", log_level_name(level), prefix, text);
}

/* --- commands --- */

static const char *
text_of(const json_t *command, const char *name)
{
	const char	*text = json_string_value(json_object_get(command, name));

	return text == NULL ? "" : text;
}

static const char *
load(struct desk *d, const json_t *command, struct err *err)
{
	if (d->driver == NULL && (d->driver = module_load(text_of(command, "url"), err)) == NULL)
		return "config";
	return d->driver->validate(text_of(command, "url"), err) == 0 ? NULL : "config";
}

static void
settle(struct desk *d, json_t *command)
{
	json_decref(d->settings);
	d->settings = json_incref(command);
	d->stub.schemas = json_object_get(command, "schemas");
	d->env = (struct drv_env){ .destination = "drive", .url = text_of(command, "url"),
	    .update_strategy = text_of(command, "strategy"), .session = text_of(command, "session"),
	    .data_dir = text_of(command, "data_dir"), .log = &d->log, .host = &d->host };
}

static const char *
do_open(struct desk *d, json_t *command, struct drv_outcome *out)
{
	const char	*bad = load(d, command, &out->err);

	if (bad != NULL)
		return bad;
	settle(d, command);
	return results[d->driver->open(&d->drv, &d->env, &out->err)];
}

static const char *
do_test(struct desk *d, json_t *command, struct drv_outcome *out)
{
	const char	*bad = load(d, command, &out->err);

	if (bad != NULL)
		return bad;
	settle(d, command);
	return results[d->driver->test(&d->env, &out->err)];
}

static const char *
do_validate(struct desk *d, json_t *command, struct drv_outcome *out)
{
	const char	*bad = load(d, command, &out->err);

	return bad == NULL ? "stored" : bad;
}

static const char *
do_deliver(struct desk *d, json_t *command, struct drv_outcome *out)
{
	const json_t		*list = json_object_get(command, "events");
	size_t			 n = json_array_size(list), parsed = 0;
	struct event		*events = calloc(n + 1, sizeof(*events));
	struct drv_event	*v = calloc(n + 1, sizeof(*v));
	struct drv_batch	 batch = { .v = v, .n = n };
	const char		*result = "malformed";

	for (; events != NULL && v != NULL && parsed < n; parsed++) {
		struct slice	 payload = slice_of(json_string_value(json_array_get(list, parsed)));

		if (event_parse(&events[parsed], payload, &out->err) != 0)
			break;
		v[parsed] = (struct drv_event){ .seq = parsed + 1, .ev = &events[parsed], .payload = payload };
		batch.bytes += payload.n;
	}
	if (parsed == n)
		result = results[d->driver->deliver(d->drv, &batch, out)];
	for (size_t i = 0; i < n; i++)
		event_free(&events[i]);
	free(events);
	free(v);
	return result;
}

static const char *
do_import_begin(struct desk *d, json_t *command, struct drv_outcome *out)
{
	const json_t		*list = json_object_get(command, "tables");
	size_t			 n = json_array_size(list);
	struct drv_import_table	*tables = calloc(n + 1, sizeof(*tables));
	struct drv_import	 import = { .tables = tables, .ntables = n, .job = slice_of(text_of(command, "job")),
				    .keep = json_is_true(json_object_get(command, "keep")),
				    .resumed = json_is_true(json_object_get(command, "resumed")),
				    .ending = json_is_true(json_object_get(command, "ending")) };
	const char		*result;

	for (size_t i = 0; tables != NULL && i < n; i++) {
		const char	*key = json_string_value(json_array_get(list, i));
		struct slice	 rest = slice_of(key), table;

		(void)slice_cut(&rest, '/', &table);
		tables[i] = (struct drv_import_table){ .table = table, .version = rest,
		    .schema = slice_of(json_string_value(json_object_get(d->stub.schemas, key))) };
	}
	result = results[d->driver->import_begin(d->drv, &import, &out->err)];
	free(tables);
	return result;
}

static const char *
do_import_file(struct desk *d, json_t *command, struct drv_outcome *out)
{
	const char	*path = text_of(command, "path"), *slash = strrchr(path, '/'), *result;
	int		 fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd == -1) {
		err_sys(&out->err, "%s", path);
		return "malformed";
	}
	result = results[d->driver->import_file(d->drv, (size_t)json_integer_value(json_object_get(command, "table")), fd,
	    slash == NULL ? path : slash + 1, &out->err)];
	(void)close(fd);
	return result;
}

static const char *
do_import_commit(struct desk *d, json_t *command, struct drv_outcome *out)
{
	(void)command;
	return results[d->driver->import_commit(d->drv, &out->err)];
}

static const char *
do_import_end(struct desk *d, json_t *command, struct drv_outcome *out)
{
	(void)command;
	return results[d->driver->import_end(d->drv, &out->err)];
}

static const char *
do_import_abort(struct desk *d, json_t *command, struct drv_outcome *out)
{
	(void)command;
	(void)out;
	d->driver->import_abort(d->drv);
	return "stored";
}

static const char *
do_idle(struct desk *d, json_t *command, struct drv_outcome *out)
{
	(void)command;
	(void)out;
	d->driver->idle(d->drv);
	return "stored";
}

static const char *
do_stop(struct desk *d, json_t *command, struct drv_outcome *out)
{
	(void)command;
	(void)out;
	d->stub.stopping = true;
	return "stored";
}

static const char *
do_close(struct desk *d, json_t *command, struct drv_outcome *out)
{
	(void)command;
	(void)out;
	if (d->driver != NULL && d->drv != NULL)
		d->driver->close(&d->drv);
	return "stored";
}

static const struct {
	const char	*name;
	const char	*(*fn)(struct desk *, json_t *, struct drv_outcome *);
	bool		 opened;
} commands[] = {
	{ "validate", do_validate, false }, { "open", do_open, false }, { "test", do_test, false },
	{ "deliver", do_deliver, true }, { "import_begin", do_import_begin, true }, { "import_file", do_import_file, true },
	{ "import_commit", do_import_commit, true }, { "import_end", do_import_end, true },
	{ "import_abort", do_import_abort, true }, { "idle", do_idle, true }, { "stop", do_stop, false },
	{ "close", do_close, false },
};

static void
obey(struct desk *d, json_t *command)
{
	struct drv_outcome	 out = { .index = 0 };
	const char		*result = "malformed", *name = text_of(command, "do");
	json_t			*answer;

	for (size_t i = 0; i < NELEM(commands); i++)
		if (strcmp(commands[i].name, name) == 0 && (!commands[i].opened || d->drv != NULL))
			result = commands[i].fn(d, command, &out);
	answer = json_pack("{s:s, s:s, s:I, s:O}", "result", result, "error", out.err.text, "index", (json_int_t)out.index,
	    "versions", d->stub.versions);
	(void)json_dumpf(answer, stdout, JSON_COMPACT);
	(void)putchar('\n');
	(void)fflush(stdout);
	json_decref(answer);
}

int
main(void)
{
	struct desk	 d = { .stub = { .versions = json_object() } };
	char		*line = NULL;
	size_t		 size = 0;
	json_t		*command;

	d.host = host_stub(&d.stub);
	log_init(LOG_DEBUG, false, NULL);
	log_sink_set(log_line, NULL);
	while (getline(&line, &size, stdin) > 0)
		if ((command = json_loads(line, 0, NULL)) != NULL) {
			obey(&d, command);
			json_decref(command);
		}
	if (d.drv != NULL)
		d.driver->close(&d.drv);
	json_decref(d.settings);
	json_decref(d.stub.versions);
	free(line);
	return 0;
}
