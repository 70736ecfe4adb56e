/* A store whose file was damaged on the disk: what can be read is kept, what cannot is named, nothing else is lost. */

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/store/damage.h"
#include "supervisor/store/journal.h"
#include "supervisor/store/store.h"
#include "tests/support/store_dir.h"

#define PAGE	4096
#define EVENTS	400u
#define AT_ONCE	40u
#define LARGE	50u		/* every so many events one has more than a page */
#define SEED	20261126u
#define ROUNDS	60

static char	 store_path[80], data[100];

static int
make_paths(void **state)
{
	int	 rc = make_dir(state);

	(void)snprintf(store_path, sizeof(store_path), "%s/store", dir);
	(void)snprintf(data, sizeof(data), "%s/data.mdb", store_path);
	return rc;
}

static struct journal *
journal_of(struct store *st)
{
	struct journal	*j = NULL;
	struct err	 err = { 0 };

	if (journal_open(&j, st, 1u << 30, &err) == -1)
		fail_msg("%s", err.text);
	return j;
}

static size_t
length_of(uint64_t seq)
{
	return seq % LARGE == 0 ? 6000 : 1000;
}

/* Events 1 to EVENTS, and a cursor. */
static void
fill(void)
{
	static char			 bytes[AT_ONCE][6000];
	struct journal_entry		 v[AT_ONCE];
	const struct store_cursor	 c = { "files", 7 };
	struct store			*st = opened();
	struct journal			*j = journal_of(st);
	struct err			 err = { 0 };

	assert_int_equal(store_cursors_put(st, &c, 1, &err), 0);
	for (uint64_t seq = 1; seq <= EVENTS; seq += AT_ONCE) {
		for (uint64_t i = 0; i < AT_ONCE; i++) {
			memset(bytes[i], (int)(seq + i), sizeof(bytes[i]));
			v[i] = (struct journal_entry){ seq + i, SLICE("subject"), { bytes[i], length_of(seq + i) } };
		}
		assert_int_equal(journal_append(j, v, AT_ONCE, &err), 0);
	}
	journal_close(&j);
	store_close(&st);
}

struct seen {
	bool		 good[EVENTS + 1], told[EVENTS + 2];
	size_t		 n_good, n_bad, n_told, ranges;
	uint64_t	 last;
};

static int
collect(void *arg, const struct journal_entry *e)
{
	struct seen	*s = arg;

	assert_true(e->seq > s->last && e->seq <= EVENTS);
	s->last = e->seq;
	if (e->payload.p == NULL) {
		s->n_bad++;
		return 0;
	}
	assert_true(slice_is(e->subject, "subject"));
	assert_int_equal(e->payload.n, length_of(e->seq));
	for (size_t i = 0; i < e->payload.n; i++)
		assert_int_equal(e->payload.p[i], (char)e->seq);
	s->good[e->seq] = true;
	s->n_good++;
	return 0;
}

static int
told(void *arg, uint64_t from, uint64_t to)
{
	struct seen	*s = arg;

	assert_true(from >= 1 && from <= to && to <= EVENTS + 1);
	s->ranges++;
	for (uint64_t seq = from; seq <= to; seq++) {
		s->told[seq] = true;
		s->n_told++;
	}
	return 0;
}

/* Reads the whole journal; whatever is missing was told, and only that. */
static void
expect_all_but_what_is_told(struct store *st, struct seen *s)
{
	struct journal	*j = journal_of(st);
	struct err	 err = { 0 };

	memset(s, 0, sizeof(*s));
	if (journal_read(j, 0, collect, s, &err) == -1)
		fail_msg("%s", err.text);
	assert_int_equal(s->n_bad, 0);
	assert_int_equal(store_lost_each(st, told, s, &err), 0);
	for (uint64_t seq = 1; seq <= EVENTS; seq++)
		if (s->good[seq] == s->told[seq])
			fail_msg("event %llu is %s", (unsigned long long)seq, s->good[seq] ? "there and told as lost" : "lost without a word");
	journal_close(&j);
}

/* The number of the leaf that has event seq. */
static long
leaf_of(uint64_t seq)
{
	FILE		*f = fopen(data, "r");
	uint8_t		 page[PAGE], key[8];
	long		 found = -1;

	assert_non_null(f);
	for (int i = 7; i >= 0; i--, seq >>= 8)
		key[i] = (uint8_t)seq;
	for (long no = 0; found == -1 && fread(page, 1, PAGE, f) == PAGE; no++)
		for (size_t i = 24; i + 32 < PAGE && (page[10] & 2) != 0; i++)
			if (memcmp(page + i, key, 8) == 0 && (memcmp(page + i + 20, "subject", 7) == 0 || page[i - 4] == 1))
				found = no;
	(void)fclose(f);
	assert_true(found > 1);
	return found;
}

static void
overwrite(long at, const void *bytes, size_t n)
{
	int	 fd = open(data, O_WRONLY);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, n, at), (ssize_t)n);
	(void)close(fd);
}

enum hurt { ZEROS, ONES, NOISE, NODES_ONES, NODES_ZERO, HURTS };

static void
hurt_page(long no, enum hurt how)
{
	uint8_t	 page[PAGE];
	size_t	 from = how == NODES_ONES || how == NODES_ZERO ? 16 : 0;

	memset(page, how == ONES || how == NODES_ONES ? 0xff : 0, sizeof(page));
	for (size_t i = 0; i < PAGE && how == NOISE; i++)
		page[i] = (uint8_t)(random() >> 8);
	overwrite(no * PAGE + (long)from, page, PAGE - from);
}

static void
a_changed_byte_costs_its_event_alone(void **state)
{
	struct store	*st;
	struct journal	*j;
	struct err	 err = { 0 };
	struct seen	 seen = { 0 };
	long		 leaf;

	(void)state;
	fill();
	leaf = leaf_of(77);
	overwrite(leaf * PAGE + PAGE - 300, "!", 1);
	st = opened();
	j = journal_of(st);
	assert_int_equal(journal_read(j, 0, collect, &seen, &err), 0);
	assert_int_equal(seen.n_good, EVENTS - 1);
	assert_int_equal(seen.n_bad, 1);
	assert_int_equal(journal_stats(j)->damaged, 1);
	assert_false(store_damaged(st));
	journal_close(&j);
	store_close(&st);
}

static void
a_page_that_is_no_page_costs_its_own_events_however_it_was_hurt(void **state)
{
	struct seen	 seen;
	struct err	 err = { 0 };

	(void)state;
	srandom(SEED);
	for (int how = 0; how < HURTS; how++) {
		struct store *st;
		struct journal *j;
		char *kept;

		assert_int_equal(remove_dir(NULL), 0);
		assert_int_equal(make_paths(NULL), 0);
		fill();
		hurt_page(leaf_of(123), (enum hurt)how);
		st = opened();
		j = journal_of(st);
		memset(&seen, 0, sizeof(seen));
		assert_int_equal(journal_read(j, 0, collect, &seen, &err), -1);
		assert_int_equal(err.code, ERR_INVALID);
		assert_non_null(strstr(err.text, store_path));
		assert_in_range(seen.last, 118, 122);	/* up to there, and nothing behind it */
		journal_close(&j);
		assert_true(store_damaged(st));
		assert_int_equal(store_mend(st, &err), 0);
		assert_false(store_damaged(st));
		expect_all_but_what_is_told(st, &seen);
		assert_true(seen.told[123]);
		assert_in_range(seen.n_told, 1, 4);
		assert_int_equal(seen.ranges, 1);
		assert_non_null(kept = store_kept(st));
		assert_int_equal(access(kept, F_OK), 0);
		free(kept);
		assert_null(store_kept(st));
		store_close(&st);
		/* Told once, and well from now on. */
		st = opened();
		memset(&seen, 0, sizeof(seen));
		assert_int_equal(store_lost_each(st, told, &seen, &err), 0);
		assert_int_equal(seen.ranges, 0);
		store_close(&st);
	}
}

static void
a_page_of_one_large_event_costs_that_event(void **state)
{
	struct store	*st;
	struct seen	 seen = { 0 };
	uint8_t		 page[PAGE];
	long		 no = 0;
	FILE		*f;

	(void)state;
	fill();
	/* The overflow pages of event 100: a header, then its bytes. */
	assert_non_null(f = fopen(data, "r"));
	while (fread(page, 1, PAGE, f) == PAGE && !((page[10] & 4) != 0 && page[200] == 100 && page[4000] == 100))
		no++;
	(void)fclose(f);
	hurt_page(no, ZEROS);
	damage_mark(store_path);
	st = opened();
	expect_all_but_what_is_told(st, &seen);
	assert_true(seen.told[100]);
	assert_int_equal(seen.n_told, 1);
	store_close(&st);
}

/* The end of the journal may be missing without a word: the stream gives it again, see find_resume_seq(). */
static void
expect_a_beginning(struct store *st, struct seen *s)
{
	struct journal	*j = journal_of(st);
	struct err	 err = { 0 };

	memset(s, 0, sizeof(*s));
	assert_int_equal(journal_read(j, 0, collect, s, &err), 0);
	assert_int_equal(s->n_bad, 0);
	assert_int_equal(store_lost_each(st, told, s, &err), 0);
	for (uint64_t seq = 1; seq < journal_stats(j)->last_seq; seq++)
		if (s->good[seq] == s->told[seq])
			fail_msg("event %llu is %s", (unsigned long long)seq, s->good[seq] ? "there and told as lost" : "lost without a word");
	journal_close(&j);
}

static void
a_file_that_was_cut_off_keeps_what_is_left(void **state)
{
	struct store	*st;
	struct seen	 seen;
	struct stat	 sb;
	struct err	 err = { 0 };
	uint64_t	 seq = 0;

	(void)state;
	fill();
	/* What was written last is at the end: the last event's page, and the list of contents. */
	assert_int_equal(stat(data, &sb), 0);
	assert_int_equal(truncate(data, sb.st_size - PAGE), 0);
	st = opened();
	expect_a_beginning(st, &seen);
	assert_in_range(seen.last, EVENTS - AT_ONCE, EVENTS);
	assert_int_equal(store_cursor_get(st, "files", &seq, &err), 0);
	assert_int_equal(seq, 7);
	store_close(&st);
}

static void
a_store_of_which_nothing_can_be_read_is_refused_by_name(void **state)
{
	struct store	*st = NULL;
	struct err	 err = { 0 };

	(void)state;
	fill();
	hurt_page(0, NOISE);
	hurt_page(1, NOISE);
	assert_int_equal(store_open(&st, dir, &err), -1);
	assert_null(st);
	assert_int_equal(err.code, ERR_INVALID);
	assert_non_null(strstr(err.text, store_path));
	assert_non_null(strstr(err.text, "move the directory away"));
}

static void
one_of_the_two_first_pages_is_enough(void **state)
{
	struct store	*st;
	struct seen	 seen;

	(void)state;
	for (long no = 0; no < 2; no++) {
		assert_int_equal(remove_dir(NULL), 0);
		assert_int_equal(make_paths(NULL), 0);
		fill();
		hurt_page(no, ZEROS);
		damage_mark(store_path);
		st = opened();
		expect_a_beginning(st, &seen);
		assert_in_range(seen.last, EVENTS - AT_ONCE, EVENTS);
		store_close(&st);
	}
}

/* The number of the page with that flag that holds the bytes; the last one, which is the newest. */
static long
page_with(uint8_t flag, const char *text, size_t n)
{
	FILE		*f = fopen(data, "r");
	uint8_t		 page[PAGE];
	long		 found = -1;

	assert_non_null(f);
	for (long no = 0; fread(page, 1, PAGE, f) == PAGE; no++)
		if (no > 1 && (page[10] & flag) != 0 && memmem(page, PAGE, text, n) != NULL)
			found = no;
	(void)fclose(f);
	assert_true(found > 1);
	return found;
}

static void
cursors_that_cannot_be_read_are_those_of_one_write_before(void **state)
{
	struct store_cursor	 c = { "files", 100 };
	struct store		*st;
	struct err		 err = { 0 };
	uint64_t		 seq = 0;
	struct seen		 seen;

	(void)state;
	fill();
	st = opened();
	for (c.seq = 100; c.seq < 103; c.seq++)
		assert_int_equal(store_cursors_put(st, &c, 1, &err), 0);
	store_close(&st);
	hurt_page(page_with(2, "files\0\0\0\0\0\0\0\146", 13), ZEROS);
	damage_mark(store_path);
	st = opened();
	assert_int_equal(store_cursor_get(st, "files", &seq, &err), 0);
	assert_int_equal(seq, 101);
	expect_all_but_what_is_told(st, &seen);
	assert_int_equal(seen.n_told, 0);
	store_close(&st);
}

/* In a process of its own; its fate. */
static int
fate_of(void (*what)(struct store *, struct journal *))
{
	static const int	 ends[] = { SIGBUS, SIGSEGV, SIGABRT };
	pid_t			 child = fork();
	int			 st = 0;

	if (child == 0) {
		const struct rlimit	 none = { 0, 0 };
		struct store		*store;

		for (size_t i = 0; i < NELEM(ends); i++)
			(void)signal(ends[i], SIG_DFL);		/* cmocka would go on with the next test, in here */
		(void)setrlimit(RLIMIT_CORE, &none);
		(void)dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
		store = opened();
		what(store, journal_of(store));
		_exit(0);
	}
	assert_int_equal(waitpid(child, &st, 0), child);
	return st;
}

static void
trim_over_the_hurt_page(struct store *st, struct journal *j)
{
	struct err	 err = { 0 };
	bool		 more;

	(void)st;
	hurt_page(leaf_of(2), ZEROS);
	if (journal_trim(j, EVENTS, EVENTS, &more, &err) == 0)
		_exit(0);	/* which the test does not expect */
	_exit(1);
}

static void
trim_over_the_end_of_the_file(struct store *st, struct journal *j)
{
	struct err	 err = { 0 };
	struct stat	 sb;
	bool		 more;

	(void)st;
	assert_int_equal(stat(data, &sb), 0);
	assert_int_equal(truncate(data, sb.st_size / 2 / PAGE * PAGE), 0);
	if (journal_trim(j, EVENTS, EVENTS, &more, &err) == 0)
		_exit(0);	/* which the test does not expect */
	_exit(1);
}

static void
damage_that_ends_the_process_is_known_at_the_next_start(void **state)
{
	struct store	*st = NULL;
	struct seen	 seen;
	struct err	 err = { 0 };
	int		 fate;

	(void)state;
	fill();
	fate = fate_of(trim_over_the_hurt_page);
	assert_true(WIFSIGNALED(fate) || WEXITSTATUS(fate) != 0);
	assert_true(damage_is_marked(store_path));
	st = opened();
	assert_false(damage_is_marked(store_path));
	expect_all_but_what_is_told(st, &seen);
	assert_in_range(seen.n_told, 1, 4);
	store_close(&st);

	fate = fate_of(trim_over_the_end_of_the_file);
	assert_true(WIFSIGNALED(fate) || WEXITSTATUS(fate) != 0);
	assert_true(damage_is_marked(store_path));
	/* With half of the file gone either its contents can be told, or it is refused with the remedy. */
	if (store_open(&st, dir, &err) == -1)
		assert_non_null(strstr(err.text, "move the directory away"));
	else
		expect_a_beginning(st, &seen);
	store_close(&st);
}

static void
a_rebuild_that_was_cut_off_is_finished_or_swept_away(void **state)
{
	char		 fresh[120], cmd[400];
	struct store	*st;
	struct seen	 seen;

	(void)state;
	fill();
	(void)snprintf(fresh, sizeof(fresh), "%s.new", store_path);
	/* Before its last steps: the old one counts. */
	(void)snprintf(cmd, sizeof(cmd), "mkdir %s && echo half > %s/data.mdb", fresh, fresh);
	assert_int_equal(system(cmd), 0);
	st = opened();
	assert_int_equal(access(fresh, F_OK), -1);
	expect_all_but_what_is_told(st, &seen);
	assert_int_equal(seen.n_good, EVENTS);
	store_close(&st);
	/* Between them: the new one is whole. */
	assert_int_equal(rename(store_path, fresh), 0);
	st = opened();
	expect_all_but_what_is_told(st, &seen);
	assert_int_equal(seen.n_good, EVENTS);
	store_close(&st);
}

/* Whatever happens to pages that hold events, each event is either there as it was, or told as lost. */
static void
no_damage_takes_an_event_without_a_word(void **state)
{
	size_t	 lost = 0, hurt = 0;

	(void)state;
	srandom(SEED);
	fill();
	for (int round = 0; round < ROUNDS; round++) {
		char cmd[500];
		struct store *st;
		struct seen seen;

		(void)snprintf(cmd, sizeof(cmd), "cp %s %s/whole", data, dir);
		if (round == 0)
			assert_int_equal(system(cmd), 0);
		(void)snprintf(cmd, sizeof(cmd), "rm -rf %s* && mkdir %s && cp %s/whole %s", store_path, store_path, dir, data);
		assert_int_equal(system(cmd), 0);
		for (int n = 1 + (int)(random() % 4); n > 0; n--) {
			uint64_t seq = 1 + (uint64_t)random() % (EVENTS - 4);
			long leaf = leaf_of(seq);

			if (random() % 2 == 0)
				hurt_page(leaf, (enum hurt)(random() % HURTS));
			else {
				uint8_t noise[8];

				for (size_t i = 0; i < sizeof(noise); i++)
					noise[i] = (uint8_t)(random() >> 8);
				overwrite(leaf * PAGE + random() % (PAGE - 8), noise, sizeof(noise));
			}
			hurt++;
		}
		damage_mark(store_path);
		st = opened();
		expect_a_beginning(st, &seen);
		lost += seen.n_told;
		store_close(&st);
	}
	print_message("%zu pages hurt, %zu events lost, each of them told\n", hurt, lost);
	assert_true(lost > ROUNDS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_changed_byte_costs_its_event_alone, make_paths, remove_dir),
		cmocka_unit_test_setup_teardown(a_page_that_is_no_page_costs_its_own_events_however_it_was_hurt, make_paths, remove_dir),
		cmocka_unit_test_setup_teardown(a_page_of_one_large_event_costs_that_event, make_paths, remove_dir),
		cmocka_unit_test_setup_teardown(a_file_that_was_cut_off_keeps_what_is_left, make_paths, remove_dir),
		cmocka_unit_test_setup_teardown(a_store_of_which_nothing_can_be_read_is_refused_by_name, make_paths, remove_dir),
		cmocka_unit_test_setup_teardown(one_of_the_two_first_pages_is_enough, make_paths, remove_dir),
		cmocka_unit_test_setup_teardown(cursors_that_cannot_be_read_are_those_of_one_write_before, make_paths, remove_dir),
		cmocka_unit_test_setup_teardown(damage_that_ends_the_process_is_known_at_the_next_start, make_paths, remove_dir),
		cmocka_unit_test_setup_teardown(a_rebuild_that_was_cut_off_is_finished_or_swept_away, make_paths, remove_dir),
		cmocka_unit_test_setup_teardown(no_damage_takes_an_event_without_a_word, make_paths, remove_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
