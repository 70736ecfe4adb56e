/* The file driver: names, bytes, order, and what is left when something goes wrong. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "drivers/driver.h"
#include "drivers/file/file_name.h"
#include "drivers/object/object_name.h"

/* A directory of its own for each test, and a driver that writes there. */
struct place {
	char		 dir[64];
	char		 url[128];
	struct log	 log;
	struct drv_env	 env;
	struct drv	*drv;
};

static int
set_up(void **state)
{
	struct place	*p = calloc(1, sizeof(*p));

	assert_non_null(p);
	(void)snprintf(p->dir, sizeof(p->dir), "/tmp/eds-test-file-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	(void)snprintf(p->url, sizeof(p->url), "file://%s", p->dir);
	p->env = (struct drv_env){ .destination = "unit", .url = p->url, .update_strategy = "standard",
	    .session = "", .data_dir = "", .log = &p->log };
	*state = p;
	return 0;
}

/* Tables hold plain files only, so two levels are all there is. */
static void
remove_tree(const char *dir, int depth)
{
	DIR		*d = opendir(dir);
	struct dirent	*e;
	char		 path[600];

	if (d == NULL)
		return;
	while ((e = readdir(d)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (unlink(path) == -1 && depth > 0)
			remove_tree(path, depth - 1);
	}
	(void)closedir(d);
	(void)rmdir(dir);
}

static int
tear_down(void **state)
{
	struct place	*p = *state;

	driver_file.close(&p->drv);
	remove_tree(p->dir, 3);
	free(p);
	return 0;
}

static void
open_driver(struct place *p, const char *query)
{
	struct err	 err = { 0 };

	(void)snprintf(p->url, sizeof(p->url), "file://%s%s", p->dir, query);
	if (driver_file.open(&p->drv, &p->env, &err) != DRV_STORED)
		fail_msg("%s", err.text);
}

#define MOST	32

/* Payloads to a batch and through the driver. */
static enum drv_result
deliver(struct place *p, const char *const *payloads, size_t n, struct drv_outcome *out)
{
	struct event		 events[MOST] = { 0 };
	struct drv_event	 v[MOST] = { 0 };
	struct drv_batch	 batch = { .v = v, .n = n };
	struct err		 err;
	enum drv_result		 rc;

	assert_true(n <= MOST);
	*out = (struct drv_outcome){ 0 };
	for (size_t i = 0; i < n; i++) {
		v[i] = (struct drv_event){ .seq = i + 1, .ev = &events[i], .payload = slice_of(payloads[i]) };
		if (event_parse(&events[i], v[i].payload, &err) == -1)
			fail_msg("%s", err.text);
		batch.bytes += v[i].payload.n;
	}
	rc = driver_file.deliver(p->drv, &batch, out);
	for (size_t i = 0; i < n; i++)
		event_free(&events[i]);
	return rc;
}

static void
store(struct place *p, const char *const *payloads, size_t n)
{
	struct drv_outcome	 out;

	if (deliver(p, payloads, n, &out) != DRV_STORED)
		fail_msg("%s", out.err.text);
}

static char *
payload(const char *table, const char *key, long long ts, const char *mvcc, const char *note)
{
	char	*text = NULL;

	assert_true(asprintf(&text, "{\"operation\":\"INSERT\",\"id\":\"e\",\"table\":\"%s\",\"key\":[\"%s\"],"
	    "\"modelVersion\":\"m\",\"after\":{\"note\":\"%s\"},\"timestamp\":%lld,\"mvccTimestamp\":\"%s\"}",
	    table, key, note, ts, mvcc) > 0);
	return text;
}

/* Content of <dir>/<name>; NULL when there is none. */
static char *
content(const struct place *p, const char *name)
{
	char	 path[600], *text;
	FILE	*f;
	size_t	 n;

	(void)snprintf(path, sizeof(path), "%s/%s", p->dir, name);
	if ((f = fopen(path, "r")) == NULL)
		return NULL;
	assert_non_null(text = calloc(1, 1 << 20));
	n = fread(text, 1, (1 << 20) - 1, f);
	text[n] = '\0';
	(void)fclose(f);
	return text;
}

static void
assert_content(const struct place *p, const char *name, const char *expected)
{
	char	*text = content(p, name);

	if (text == NULL)
		fail_msg("there is no %s", name);
	assert_string_equal(text, expected);
	free(text);
}

/* Entries of a directory besides . and .., hidden ones included. */
static size_t
entries(const struct place *p, const char *name)
{
	char		 path[600];
	DIR		*d;
	struct dirent	*e;
	size_t		 n = 0;

	(void)snprintf(path, sizeof(path), "%s/%s", p->dir, name);
	if ((d = opendir(path)) == NULL)
		return 0;
	while ((e = readdir(d)) != NULL)
		n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
	(void)closedir(d);
	return n;
}

static void
names_of(const char *table, const char *key, int64_t ts, struct buf *out)
{
	struct event	 ev = { .table = slice_of(table), .primary_key = slice_of(key), .timestamp_ms = ts };

	file_table_name(out, ev.table);
	buf_addc(out, '/');
	file_object_name(out, &ev, false);
}

static void
names_are_those_of_the_contract(void **state)
{
	json_t	*all, *one;
	size_t	 i, checked = 0;

	(void)state;
	all = json_load_file("tests/vectors/object-keys.json", 0, NULL);
	assert_non_null(all);
	json_array_foreach(json_object_get(all, "file"), i, one) {
		struct buf	 b = { 0 };
		const char	*path = json_string_value(json_object_get(one, "path"));
		const char	*dir = json_string_value(json_object_get(one, "directory"));

		if (json_object_get(one, "defect") != NULL)
			continue;
		names_of(json_string_value(json_object_get(one, "table")),
		    json_string_value(json_object_get(one, "primaryKey")),
		    json_integer_value(json_object_get(one, "timestampMs")), &b);
		assert_string_equal(buf_cstr(&b), path + strlen(dir) + 1);
		buf_free(&b);
		checked++;
	}
	assert_int_equal(checked, 3);
	json_decref(all);
}

static void
assert_name(const char *table, const char *key, int64_t ts, const char *expected)
{
	struct buf	 b = { 0 };

	names_of(table, key, ts, &b);
	assert_string_equal(buf_cstr(&b), expected);
	buf_free(&b);
}

static void
h34_a_key_cannot_leave_its_directory(void **state)
{
	struct place	*p = *state;
	char		*one = payload("t", "../../x", 1000, "1", "");
	char		*two = payload("t", "a/b", 1999, "1", "");
	const char	*const both[] = { one, two };

	open_driver(p, "");
	store(p, both, 2);
	assert_int_equal(entries(p, ""), 1);
	assert_int_equal(entries(p, "t"), 2);
	assert_content(p, "t/1-..%2F..%2Fx.json", one);
	assert_content(p, "t/1-a%2Fb.json", two);
	free(one);
	free(two);
}

static void
h34_a_table_cannot_leave_the_base_directory(void **state)
{
	(void)state;
	assert_name("..", "x", 1000, "%2E./1-x.json");
	assert_name(".", "x", 1000, "%2E/1-x.json");
	assert_name("../../etc", "x", 1000, "%2E.%2F..%2Fetc/1-x.json");
	assert_name(".hidden", "x", 1000, "%2Ehidden/1-x.json");
}

static void
only_names_that_need_it_are_changed(void **state)
{
	(void)state;
	assert_name("order", "o-1", 1720732611708, "order/1720732611-o-1.json");
	assert_name("t", "a b\\c:d*?\"<>|", 0, "t/0-a b\\c:d*?\"<>|.json");
	assert_name("t", "100%", 0, "t/0-100%.json");
	assert_name("t", "%zz", 0, "t/0-%zz.json");
	assert_name("t", "..", 0, "t/0-...json");
	assert_name("t", "\xc3\xa9", 0, "t/0-\xc3\xa9.json");
	assert_name("t", "a\n\x7f", 0, "t/0-a%0A%7F.json");
}

static void
no_two_keys_share_a_name(void **state)
{
	(void)state;
	assert_name("t", "a/b", 0, "t/0-a%2Fb.json");
	assert_name("t", "a%2Fb", 0, "t/0-a%252Fb.json");
	assert_name("t", "a%252Fb", 0, "t/0-a%25252Fb.json");
	assert_name("t", "%/", 0, "t/0-%%2F.json");
}

static void
seconds_are_rounded_down(void **state)
{
	(void)state;
	assert_name("t", "x", 999, "t/0-x.json");
	assert_name("t", "x", -1, "t/-1-x.json");
	assert_name("t", "x", -1500, "t/-2-x.json");
	assert_name("t", "x", -2000, "t/-2-x.json");
}

static void
a_long_key_is_shortened_and_stays_distinct(void **state)
{
	struct place	*p = *state;
	char		 long_key[1001], *a, *b;
	const char	*both[2];

	(void)memset(long_key, 'k', sizeof(long_key) - 1);
	long_key[sizeof(long_key) - 1] = '\0';
	both[0] = a = payload("t", long_key, 0, "1", "");
	long_key[999] = 'l';
	both[1] = b = payload("t", long_key, 0, "1", "");
	open_driver(p, "");
	store(p, both, 2);
	store(p, both, 2);
	assert_int_equal(entries(p, "t"), 2);
	free(a);
	free(b);
}

static void
a_long_name_is_cut_between_characters(void **state)
{
	char		 key[601];
	struct buf	 b = { 0 };

	(void)state;
	for (size_t shift = 0; shift < 3; shift++) {
		(void)memset(key, 'x', shift);
		for (size_t i = shift; i + 1 < sizeof(key); i++)
			key[i] = (i - shift) % 2 == 0 ? (char)0xc3 : (char)0xa9;
		key[598 + shift % 2] = '\0';
		buf_reset(&b);
		names_of("t", key, 0, &b);
		assert_true(b.len - 2 <= FILE_NAME_MOST);
		assert_true(slice_is_utf8(buf_slice(&b)));
		(void)memset(key, '/', sizeof(key) - 1);
		(void)memset(key, 'x', shift);
		buf_reset(&b);
		names_of("t", key, 0, &b);
		assert_true(b.len - 2 <= FILE_NAME_MOST);
		assert_non_null(strstr(buf_cstr(&b), "%2F~"));
	}
	buf_free(&b);
}

static void
stored_bytes_are_those_of_the_contract(void **state)
{
	struct place	*p = *state;
	json_t		*all = json_load_file("tests/vectors/event-json.json", 0, NULL), *one;
	size_t		 i, checked = 0;

	assert_non_null(all);
	open_driver(p, "");
	json_array_foreach(json_object_get(all, "cases"), i, one) {
		const char	*input = json_string_value(json_object_get(one, "input"));
		const char	*key = json_string_value(json_object_get(one, "primaryKey"));
		json_t		*stored;
		char		 name[200];

		if (key[0] == '\0')
			continue;		/* no driver ever sees such an event */
		store(p, &input, 1);
		stored = json_loads(json_string_value(json_object_get(one, "stored")), 0, NULL);
		(void)snprintf(name, sizeof(name), "%s/%lld-%s.json", json_string_value(json_object_get(stored, "table")),
		    (long long)json_integer_value(json_object_get(stored, "timestamp")) / 1000, key);
		assert_content(p, name, json_string_value(json_object_get(one, "stored")));
		json_decref(stored);
		checked++;
	}
	assert_true(checked >= 5);
	json_decref(all);
}

/* As many events as make the driver flush the file system as a whole. */
static void
a_large_batch_is_stored_whole(void **state)
{
	struct place	*p = *state;
	char		*texts[MOST], key[16];
	const char	*list[MOST];

	for (size_t i = 0; i < MOST; i++) {
		(void)snprintf(key, sizeof(key), "k%zu", i);
		list[i] = texts[i] = payload(i % 2 == 0 ? "even" : "odd", key, 5000, "1", key);
	}
	open_driver(p, "");
	store(p, list, MOST);
	assert_int_equal(entries(p, "even"), MOST / 2);
	assert_int_equal(entries(p, "odd"), MOST / 2);
	assert_content(p, "odd/5-k7.json", list[7]);
	for (size_t i = 0; i < MOST; i++)
		free(texts[i]);
}

static void
h26_the_later_change_of_a_second_stays(void **state)
{
	struct place	*p = *state;
	char		*old = payload("t", "x", 1100, "1100.1", "old"), *new = payload("t", "x", 1200, "1200.1", "new");
	const char	*const both[] = { old, new };

	open_driver(p, "");
	store(p, both, 2);
	assert_content(p, "t/1-x.json", new);
	store(p, both, 1);
	store(p, both + 1, 1);
	assert_content(p, "t/1-x.json", new);
	assert_int_equal(entries(p, "t"), 1);
	free(old);
	free(new);
}

static void
h26_unique_names_keep_every_change(void **state)
{
	struct place	*p = *state;
	char		*old = payload("t", "x", 1100, "1100.1", "old"), *new = payload("t", "x", 1200, "1200.1", "new");
	char		*imported = payload("t", "x", 1200, "", "imported");
	const char	*const all[] = { old, new, imported };

	open_driver(p, "?unique=1");
	store(p, all, 3);
	store(p, all, 3);		/* again, as after a crash */
	assert_int_equal(entries(p, "t"), 3);
	assert_content(p, "t/1-x-11001.json", old);
	assert_content(p, "t/1-x-12001.json", new);
	free(old);
	free(new);
	free(imported);
}

static void
modes_are_those_of_the_contract(void **state)
{
	struct place	*p = *state;
	char		*text = payload("t", "x", 0, "1", ""), path[200];
	const char	*const one[] = { text };
	struct stat	 st;
	mode_t		 old = umask(022);

	(void)snprintf(p->dir + strlen(p->dir), 8, "/a/b");
	open_driver(p, "");
	store(p, one, 1);
	(void)umask(old);
	assert_int_equal(stat(p->dir, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	(void)snprintf(path, sizeof(path), "%s/t", p->dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	(void)snprintf(path, sizeof(path), "%s/t/0-x.json", p->dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	p->dir[strlen(p->dir) - 4] = '\0';
	free(text);
}

/* The child dies at its second write: a document is half written, others are not even begun. */
static void
crash_while_writing(struct place *p, const char *const *payloads, size_t n)
{
	const struct rlimit	 size = { 200, 200 }, none = { 0, 0 };
	struct drv_outcome	 out;
	pid_t			 pid = fork();
	int			 status;

	assert_true(pid != -1);
	if (pid == 0) {
		(void)setrlimit(RLIMIT_CORE, &none);
		(void)setrlimit(RLIMIT_FSIZE, &size);
		(void)signal(SIGXFSZ, SIG_DFL);
		(void)deliver(p, payloads, n, &out);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

static void
a_crash_leaves_no_half_document_and_no_litter(void **state)
{
	struct place	*p = *state;
	char		 note[301], *first = payload("t", "a", 0, "1", "short"), *second, *third;
	const char	*all[3];

	(void)memset(note, 'n', sizeof(note) - 1);
	note[sizeof(note) - 1] = '\0';
	second = payload("t", "b", 0, "1", note);
	third = payload("u", "c", 0, "1", "short");
	all[0] = first, all[1] = second, all[2] = third;
	open_driver(p, "");
	store(p, all, 1);
	crash_while_writing(p, all, 3);
	assert_content(p, "t/0-a.json", first);
	assert_null(content(p, "t/0-b.json"));
	assert_null(content(p, "u/0-c.json"));
	assert_true(entries(p, "t") + entries(p, "u") > 1);	/* what was being written */
	driver_file.close(&p->drv);
	open_driver(p, "");
	assert_int_equal(entries(p, "t"), 1);
	assert_int_equal(entries(p, "u"), 0);
	store(p, all, 3);
	assert_content(p, "t/0-b.json", second);
	assert_content(p, "u/0-c.json", third);
	free(first);
	free(second);
	free(third);
}

static void
a_failed_write_asks_for_a_retry_and_gives_the_space_back(void **state)
{
	struct place		*p = *state;
	struct rlimit		 before, size;
	struct drv_outcome	 out;
	char			*old = payload("t", "x", 0, "1", "old"), note[301], *new;
	const char		*one = old;

	(void)memset(note, 'n', sizeof(note) - 1);
	note[sizeof(note) - 1] = '\0';
	new = payload("t", "x", 0, "1", note);
	open_driver(p, "");
	store(p, &one, 1);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	size = (struct rlimit){ 200, before.rlim_max };
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &size), 0);
	one = new;
	assert_int_equal(deliver(p, &one, 1, &out), DRV_RETRY);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_non_null(strstr(out.err.text, p->dir));
	assert_int_equal(entries(p, "t"), 1);
	assert_content(p, "t/0-x.json", old);
	store(p, &one, 1);
	assert_content(p, "t/0-x.json", new);
	free(old);
	free(new);
}

static void
a_removed_directory_is_waited_for(void **state)
{
	struct place		*p = *state;
	struct drv_outcome	 out;
	char			*text = payload("t", "x", 0, "1", "");
	const char		*const one[] = { text };

	open_driver(p, "");
	assert_int_equal(rmdir(p->dir), 0);
	assert_int_equal(deliver(p, one, 1, &out), DRV_RETRY);
	assert_non_null(strstr(out.err.text, p->dir));
	assert_non_null(strstr(out.err.text, "the directory is gone"));
	assert_int_equal(mkdir(p->dir, 0755), 0);
	store(p, one, 1);
	assert_content(p, "t/0-x.json", text);
	free(text);
}

static void
a_name_that_is_taken_by_a_directory_rejects_that_event_alone(void **state)
{
	struct place		*p = *state;
	struct drv_outcome	 out;
	char			 path[200], *a = payload("t", "a", 0, "1", ""), *b = payload("t", "b", 0, "1", "");
	const char		*const both[] = { a, b };

	open_driver(p, "");
	store(p, both, 1);
	(void)snprintf(path, sizeof(path), "%s/t/0-b.json", p->dir);
	assert_int_equal(mkdir(path, 0755), 0);
	assert_int_equal(deliver(p, both, 2, &out), DRV_REJECT);
	assert_int_equal(out.index, 1);
	assert_non_null(strstr(out.err.text, "0-b.json"));
	assert_int_equal(entries(p, "t"), 2);
	free(a);
	free(b);
}

static void
assert_url(const char *url, const char *expected)
{
	struct err	 err = { 0 };
	int		 rc = driver_file.validate(url, &err);

	if (expected == NULL)
		assert_int_equal(rc, 0);
	else {
		assert_int_equal(rc, -1);
		assert_int_equal(err.code, ERR_CONFIG);
		assert_string_equal(err.text, expected);
	}
}

static void
urls_are_checked_without_touching_anything(void **state)
{
	static const char no_path[] = "path is required in url which should be the directory to store files";

	(void)state;
	assert_url("file:///no/such/directory", NULL);
	assert_url("file://./out", NULL);
	assert_url("file:///out?unique=1", NULL);
	assert_url("file://folder", no_path);
	assert_url("file://", no_path);
	assert_url("file:///out?unique=yes", "unique in the URL must be 0 or 1");
	assert_int_equal(access("/no/such/directory", F_OK), -1);
}

static void
paths_are_cleaned(void **state)
{
	static const char *const cases[][2] = {
		{ "/", "/" }, { "//a//b/", "/a/b" }, { "/a/./b", "/a/b" }, { "/a/../b", "/b" }, { "/../../b", "/b" },
		{ "/a/b/..", "/a" }, { "/..", "/" },
	};

	(void)state;
	for (size_t i = 0; i < NELEM(cases); i++) {
		struct buf b = { 0 };

		object_name_clean_path(&b, slice_of(cases[i][0]));
		assert_string_equal(buf_cstr(&b), cases[i][1]);
		buf_free(&b);
	}
}

static void
a_directory_that_cannot_be_is_a_matter_of_configuration(void **state)
{
	struct place	*p = *state;
	struct err	 err = { 0 };
	char		 path[100];
	int		 fd;

	(void)snprintf(path, sizeof(path), "%s/plain", p->dir);
	assert_true((fd = open(path, O_WRONLY | O_CREAT, 0644)) != -1);
	(void)close(fd);
	(void)snprintf(p->url, sizeof(p->url), "file://%s/plain/sub", p->dir);
	assert_int_equal(driver_file.open(&p->drv, &p->env, &err), DRV_CONFIG);
	assert_non_null(strstr(err.text, "plain/sub"));
	assert_null(p->drv);
	(void)snprintf(p->url, sizeof(p->url), "file:///proc/eds-cannot-write-here");
	assert_int_equal(driver_file.open(&p->drv, &p->env, &err), DRV_CONFIG);
	assert_non_null(strstr(err.text, "/proc/eds-cannot-write-here"));
	assert_null(p->drv);
}

int
main(void)
{
#define PLACED(f)	cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_those_of_the_contract),
		PLACED(h34_a_key_cannot_leave_its_directory),
		cmocka_unit_test(h34_a_table_cannot_leave_the_base_directory),
		cmocka_unit_test(only_names_that_need_it_are_changed),
		cmocka_unit_test(no_two_keys_share_a_name),
		cmocka_unit_test(seconds_are_rounded_down),
		PLACED(a_long_key_is_shortened_and_stays_distinct),
		cmocka_unit_test(a_long_name_is_cut_between_characters),
		PLACED(stored_bytes_are_those_of_the_contract),
		PLACED(a_large_batch_is_stored_whole),
		PLACED(h26_the_later_change_of_a_second_stays),
		PLACED(h26_unique_names_keep_every_change),
		PLACED(modes_are_those_of_the_contract),
		PLACED(a_crash_leaves_no_half_document_and_no_litter),
		PLACED(a_failed_write_asks_for_a_retry_and_gives_the_space_back),
		PLACED(a_removed_directory_is_waited_for),
		PLACED(a_name_that_is_taken_by_a_directory_rejects_that_event_alone),
		cmocka_unit_test(urls_are_checked_without_touching_anything),
		cmocka_unit_test(paths_are_cleaned),
		PLACED(a_directory_that_cannot_be_is_a_matter_of_configuration),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
