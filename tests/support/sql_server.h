#ifndef EDS_TESTS_SQL_SERVER_H
#define EDS_TESTS_SQL_SERVER_H

#include <sys/types.h>

#include "drivers/driver.h"

/*
 * A driver's calls on a real server, which a program of tests/support starts: it says the URL
 * of an empty database and ends the server when its input is closed.  Include behind cmocka.h.
 */
struct sql_server;

struct sql_server_kind {
	const struct driver	*driver;
	const char		*module;	/* the program */
	const char		*scheme;
	/* A statement's answer: the first column of the first row, "" when there is none. */
	const char		*(*ask)(struct sql_server *, const char *sql);
	const char		*beside;	/* a statement that counts what an import has left behind */
	const char		*refers, *denied;	/* the server's words: others refer to the table; a wrong password */
};

struct sql_server {
	const struct sql_server_kind	*kind;
	pid_t			 pid;
	int			 lifeline;
	char			 url[512];
	struct log		 log;
	struct drv_host		 host;
	struct drv_env		 env;
	struct drv		*drv;
	struct err		 err;
};

/* cmocka's set-up and tear-down: *state is the server. */
int	 sql_server_start(void **state, const struct sql_server_kind *);
int	 sql_server_stop(void **state);

/* The server with its driver open; skips the test, with the reason, where there is no server. */
struct sql_server *sql_server_ready(void **state);
void	 sql_server_close(struct sql_server *);		/* as when the process dies */
void	 stored(struct sql_server *, enum drv_result);	/* fails the test unless it is DRV_STORED */

/* An import of the table `part`: id, note. */
struct drv_import sql_import_of(const char *job);
enum drv_result sql_import_try(struct sql_server *, size_t from, size_t n, const char *note_json, struct drv_outcome *);
void	 sql_import_some(struct sql_server *, size_t from, size_t n, const char *note_json);	/* rows, and what commits them */

/* What holds of every database. */
void	 an_import_shows_only_when_it_is_complete(void **);
void	 an_import_that_is_given_up_leaves_nothing(void **);
void	 an_import_is_taken_up_where_it_was_committed(void **);
void	 an_import_that_keeps_puts_its_rows_on_top(void **);
void	 with_keep_a_row_that_the_table_cannot_hold_is_refused_by_itself(void **);
void	 an_import_without_rows_makes_the_table(void **);
void	 a_table_that_others_refer_to_is_not_replaced(void **);
void	 a_test_leaves_nothing_behind(void **);
void	 a_test_names_what_is_wrong_without_the_password(void **);

#define SQL_SERVER_TESTS \
	cmocka_unit_test(an_import_shows_only_when_it_is_complete), \
	cmocka_unit_test(an_import_that_is_given_up_leaves_nothing), \
	cmocka_unit_test(an_import_is_taken_up_where_it_was_committed), \
	cmocka_unit_test(an_import_that_keeps_puts_its_rows_on_top), \
	cmocka_unit_test(with_keep_a_row_that_the_table_cannot_hold_is_refused_by_itself), \
	cmocka_unit_test(an_import_without_rows_makes_the_table), \
	cmocka_unit_test(a_table_that_others_refer_to_is_not_replaced), \
	cmocka_unit_test(a_test_leaves_nothing_behind), \
	cmocka_unit_test(a_test_names_what_is_wrong_without_the_password)

#endif
