/* The export: names of files, HQ's answers, the record of an import. */

#include "tests/support/cmocka_all.h"
#include "tests/support/vectors.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "supervisor/import/export.h"
#include "supervisor/import/export_name.h"
#include "supervisor/import/import_record.h"

static void
names_are_read_as_the_golden_values_say(void **state)
{
	json_t	*root = vectors_load("tests/vectors/export-filenames.json"), *c;
	size_t	 i;

	(void)state;
	json_array_foreach(json_object_get(root, "cases"), i, c) {
		struct export_name n;
		bool ok = export_name_parse(vectors_str(c, "name"), &n);
		char ns[32];

		if (ok != json_is_true(json_object_get(c, "ok")))
			fail_msg("%s: %s", vectors_str(c, "name").p, ok ? "accepted" : "refused");
		if (!ok)
			continue;
		assert_slice(n.table, vectors_str(c, "table"));
		(void)snprintf(ns, sizeof(ns), "%lld", (long long)n.time_ns);
		assert_slice(slice_of(ns), vectors_str(c, "unixNano"));
	}
	assert_true(i > 5);
	json_decref(root);
}

static void
the_request_has_only_what_is_asked_for(void **state)
{
	static const char *const two[] = { "a", "b\"", NULL }, *const none[] = { NULL };
	struct export_settings	 s = { .tables = none };
	struct buf		 b = { 0 };

	(void)state;
	export_request_body(&s, &b);
	assert_string_equal(buf_cstr(&b), "{}");
	buf_reset(&b);
	s = (struct export_settings){ .time_offset_ms = 5, .company_ids = two, .location_ids = two, .tables = two };
	export_request_body(&s, &b);
	assert_string_equal(buf_cstr(&b),
	    "{\"timeOffset\":5,\"companyIds\":[\"a\",\"b\\\"\"],\"locationIds\":[\"a\",\"b\\\"\"],\"tables\":[\"a\",\"b\\\"\"]}");
	buf_free(&b);
}

/* An answer; the tables it leaves go to *copy, of which only the first is of interest. */
struct heard {
	int		 rc;
	size_t		 completed, total;
	struct err	 err;
	int64_t		 time_ns;
};

static struct heard
hear(const char *json)
{
	struct heard		 h = { 0 };
	struct ev_loop		*loop = ev_loop_new(EVFLAG_AUTO);
	struct http		*http = NULL;
	struct export		*e = NULL;
	struct export_settings	 s = { .loop = loop, .api_url = "http://127.0.0.1:1", .token = "t", .job_id = "j" };
	const struct export_events on = { .arg = NULL };
	const struct export_table *tables;
	json_t			*o = json_loads(json, 0, NULL);
	size_t			 n;

	assert_non_null(o);
	assert_int_equal(http_new(&http, loop, &h.err), 0);
	s.http = http;
	assert_int_equal(export_new(&e, &s, &on, &h.err), 0);
	h.rc = export_take_answer(e, o, &h.completed, &h.total, &h.err);
	tables = export_tables(e, &n);
	h.time_ns = n == 0 ? 0 : tables[0].time_ns;
	json_decref(o);
	export_free(&e);
	http_free(&http);
	ev_loop_destroy(loop);
	return h;
}

#define NAME(ns)	"https://x/e/20240713165052" ns "0000000000-c7274317e9a4a9cb-1-651-00000000-user-2.ndjson.gz?sig"

static void
an_answer_is_complete_or_not_or_says_what_failed(void **state)
{
	struct heard	 h;

	(void)state;
	h = hear("{\"completed\":false,\"tables\":{\"a\":{\"status\":\"Completed\"},\"b\":{\"status\":\"Pending\"}}}");
	assert_int_equal(h.rc, 0);
	assert_int_equal(h.completed, 1);
	assert_int_equal(h.total, 2);
	h = hear("{\"completed\":false,\"tables\":{\"a\":{\"status\":\"Failed\",\"error\":\"no luck\"}}}");
	assert_int_equal(h.rc, -1);
	assert_string_equal(h.err.text, "error exporting table a: no luck");
	h = hear("{\"completed\":true,\"tables\":{\"user\":{\"status\":\"Completed\",\"urls\":[\"https://x/other\"]}}}");
	assert_int_equal(h.rc, -1);
	assert_null(strstr(h.err.text, "https"));
	assert_int_equal(hear("{\"completed\":true}").rc, 1);
}

static void
h72_a_tables_time_comes_from_its_files_or_from_a_cursor_with_a_fraction(void **state)
{
	struct heard	 h;

	(void)state;
	h = hear("{\"completed\":true,\"tables\":{\"user\":{\"urls\":[\"" NAME("000000001") "\",\"" NAME("280802460") "\",\""
	    NAME("000000002") "\"]}}}");
	assert_int_equal(h.rc, 1);
	assert_int_equal(h.time_ns, 1720889452280802460);	/* the latest */
	h = hear("{\"completed\":true,\"tables\":{\"user\":{\"urls\":[],\"cursor\":\"1720889452280802460.0000000000\"}}}");
	assert_int_equal(h.rc, 1);
	assert_int_equal(h.time_ns, 1720889452280802000);	/* to the microsecond */
	assert_int_equal(hear("{\"completed\":true,\"tables\":{\"user\":{\"cursor\":\"1720889452280802460\"}}}").time_ns,
	    1720889452280802000);
	assert_int_equal(hear("{\"completed\":true,\"tables\":{\"user\":{\"cursor\":\"\"}}}").time_ns, 0);
	assert_int_equal(hear("{\"completed\":true,\"tables\":{\"user\":{\"cursor\":\"soon\"}}}").rc, -1);
	assert_int_equal(hear("{\"completed\":true,\"tables\":{\"user\":{\"cursor\":\"12.x\"}}}").rc, -1);
}

/* --- the record --- */

struct fixture {
	char		 dir[64];
	struct store	*store;
	struct buf	 times;
};

static int
setup(void **state)
{
	struct fixture	*f = calloc(1, sizeof(*f));
	struct err	 err = { 0 };

	assert_non_null(f);
	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/eds-export-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	assert_int_equal(store_open(&f->store, f->dir, &err), 0);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture	*f = *state;
	char		 command[100];

	store_close(&f->store);
	(void)snprintf(command, sizeof(command), "rm -r %s", f->dir);
	assert_int_equal(system(command), 0);
	buf_free(&f->times);
	free(f);
	return 0;
}

static int
add_time(void *arg, struct slice table, struct slice ns)
{
	buf_printf(arg, SLICE_FMT "=" SLICE_FMT " ", SLICE_ARG(table), SLICE_ARG(ns));
	return 0;
}

static const char *
times_of(struct fixture *f, const char *destination)
{
	struct err	 err;

	buf_reset(&f->times);
	assert_int_equal(import_times_each(f->store, destination, add_time, &f->times, &err), 0);
	return buf_cstr(&f->times);
}

static struct import_record
record_of(enum import_state state, int64_t order_ns, int64_t user_ns)
{
	struct import_record	 r = { .state = state, .job = strdup("abc"), .export_id = strdup("job-1"), .started_ms = 1000, .rows = 7,
		.cursor = 12, .parallel = 4, .reject_limit = UINT64_MAX, .n_tables = 2, .tables = calloc(2, sizeof(*r.tables)) };

	assert_non_null(r.tables);
	r.tables[0] = (struct import_table){ .table = strdup("order"), .version = strdup("v1"), .time_ns = order_ns };
	r.tables[1] = (struct import_table){ .table = strdup("user"), .version = strdup("v2"), .time_ns = user_ns };
	return r;
}

static void
a_record_comes_back_as_it_was(void **state)
{
	static const char *const two[] = { "order", "user", NULL };
	struct fixture		*f = *state;
	struct import_record	 r = record_of(IMPORT_LOADING, 5, 0), back;
	struct err		 err = { 0 };

	assert_int_equal(import_record_load(&back, f->store, "shop", &err), -1);
	assert_int_equal(err.code, ERR_NOTFOUND);
	r.only = import_list_copy(two);
	r.keep = r.own_dir = true;
	assert_int_equal(import_record_add_done(&r, "a.ndjson.gz"), 0);
	assert_int_equal(import_record_save(&r, f->store, "shop", &err), 0);
	assert_int_equal(import_record_load(&back, f->store, "shop", &err), 0);
	assert_int_equal(back.state, IMPORT_LOADING);
	assert_true(import_record_is_open(&back));
	assert_string_equal(back.job, "abc");
	assert_string_equal(back.export_id, "job-1");
	assert_string_equal(back.only[1], "user");
	assert_null(back.only[2]);
	assert_true(back.keep && back.own_dir && !back.schema_only);
	assert_int_equal(back.rows, 7);
	assert_int_equal(back.n_tables, 2);
	assert_string_equal(back.tables[1].version, "v2");
	assert_int_equal(back.tables[0].time_ns, 5);
	assert_true(import_record_is_done(&back, "a.ndjson.gz"));
	assert_false(import_record_is_done(&back, "b.ndjson.gz"));
	assert_string_equal(times_of(f, "shop"), "");	/* not live yet */
	import_record_free(&back);
	import_record_free(&r);
}

static void
what_is_live_is_passed_over_from_then_on(void **state)
{
	struct fixture		*f = *state;
	struct import_record	 r = record_of(IMPORT_DONE, 5000, 3000);
	struct err		 err = { 0 };

	assert_int_equal(import_record_save_live(&r, f->store, "shop", &err), 0);
	assert_string_equal(times_of(f, "shop"), "order=5000 user=3000 ");
	assert_string_equal(times_of(f, "other"), "");
	assert_int_equal(import_start_ns(f->store, "shop"), 3000);
	assert_int_equal(import_start_ns(f->store, "other"), 0);
	/* a later one of one table leaves the others' times */
	r.n_tables = 1;
	r.tables[0].time_ns = 9000;
	assert_int_equal(import_record_save_live(&r, f->store, "shop", &err), 0);
	assert_string_equal(times_of(f, "shop"), "order=9000 user=3000 ");
	/* where rows were kept, or none came, nothing may be passed over */
	r.keep = true;
	assert_int_equal(import_record_save_live(&r, f->store, "shop", &err), 0);
	assert_string_equal(times_of(f, "shop"), "user=3000 ");
	r.n_tables = 2;
	r.keep = false;
	r.schema_only = true;
	assert_int_equal(import_record_save_live(&r, f->store, "shop", &err), 0);
	assert_string_equal(times_of(f, "shop"), "");
	assert_int_equal(import_start_ns(f->store, "shop"), 1000000000);
	import_record_free(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_read_as_the_golden_values_say),
		cmocka_unit_test(the_request_has_only_what_is_asked_for),
		cmocka_unit_test(an_answer_is_complete_or_not_or_says_what_failed),
		cmocka_unit_test(h72_a_tables_time_comes_from_its_files_or_from_a_cursor_with_a_fraction),
		cmocka_unit_test_setup_teardown(a_record_comes_back_as_it_was, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_live_is_passed_over_from_then_on, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
