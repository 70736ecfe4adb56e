/*
 * From SQLSTATEs to what the worker is to do.
 *
 * The primary message of an error names tables, columns and constraints; of class 22, what a type cannot
 * hold, it also quotes the value, which is taken out.  Details and hints are left away: they quote rows.
 */

#include <ctype.h>
#include <stdlib.h>

#include "drivers/postgres/postgres_private.h"
#include "drivers/sql/verdict.h"

#define RETRY	DRV_RETRY, DRV_RETRY, ERR_TEMPORARY

static const struct sql_verdict	verdicts[] = {
	{ "08",	   0, RETRY, NULL, false },
	{ "21000", 0, DRV_REJECT, DRV_REJECT, ERR_INVALID, "the table does not accept this row", false },
	{ "22",	   0, DRV_REJECT, DRV_REJECT, ERR_INVALID, "the column cannot hold this value", false },
	{ "23",	   0, DRV_REJECT, DRV_REJECT, ERR_INVALID, "the table does not accept this row", false },
	{ "25006", 0, RETRY, "the server is read-only, a standby perhaps", false },
	{ "25",	   0, RETRY, NULL, false },
	{ "26000", 0, RETRY, NULL, true },
	{ "2BP01", 0, DRV_CONFIG, DRV_CONFIG, ERR_CONFLICT, "drop what depends on the table, or import with --no-delete", false },
	{ "28",	   0, DRV_CONFIG, DRV_RETRY, ERR_AUTH, "check user and password in the URL, and pg_hba.conf", false },
	{ "3D000", 0, DRV_CONFIG, DRV_RETRY, ERR_CONFIG, "create the database, or name another in the URL", false },
	{ "3F000", 0, DRV_CONFIG, DRV_CONFIG, ERR_CONFIG, "create the schema, or name another by search_path in the URL", false },
	{ "40",	   0, RETRY, NULL, false },
	{ "42501", 0, DRV_CONFIG, DRV_CONFIG, ERR_AUTH, "grant the role of the URL that privilege, then restart the worker", false },
	{ "42P01", 0, DRV_RETRY, DRV_RETRY, ERR_CONFLICT, NULL, true },
	{ "42703", 0, DRV_RETRY, DRV_RETRY, ERR_CONFLICT, NULL, true },
	{ "42804", 0, DRV_RETRY, DRV_RETRY, ERR_CONFLICT, NULL, true },
	{ "42P10", 0, DRV_CONFIG, DRV_CONFIG, ERR_CONFIG, "give the table its primary key again, or import it anew", true },
	{ "42P05", 0, RETRY, NULL, true },
	{ "42846", 0, DRV_REJECT, DRV_REJECT, ERR_INVALID, "the column cannot hold this value", false },
	{ "42",	   0, DRV_CONFIG, DRV_RETRY, ERR_CONFIG, "look at the tables and triggers of the database", false },
	{ "428C9", 0, DRV_CONFIG, DRV_CONFIG, ERR_CONFIG, "a generated column cannot take EDS's values; make it a plain one", false },
	{ "44000", 0, DRV_REJECT, DRV_REJECT, ERR_INVALID, "the table does not accept this row", false },
	{ "53100", 0, DRV_RETRY, DRV_RETRY, ERR_FULL, "make room on the server's disk", false },
	{ "53",	   0, RETRY, NULL, false },
	{ "54",	   0, DRV_REJECT, DRV_REJECT, ERR_TOOBIG, "this is more than PostgreSQL can hold", false },
	{ "55P03", 0, RETRY, "another session holds a lock on the table", false },
	{ "55",	   0, RETRY, NULL, false },
	{ "57",	   0, RETRY, NULL, false },
	{ "58",	   0, RETRY, NULL, false },
	{ "F0",	   0, RETRY, NULL, false },
	{ "P0",	   0, DRV_REJECT, DRV_REJECT, ERR_INVALID, "a trigger of the table does not accept this row", false },
	{ "XX",	   0, RETRY, NULL, false },
};

bool
pg_state_is(const PGresult *res, const char *prefix)
{
	const char	*state = PQresultErrorField(res, PG_DIAG_SQLSTATE);

	return state != NULL && strncmp(state, prefix, strlen(prefix)) == 0;
}

/* A message of one or more lines on one; with `mask`, what stands in quotes is left away. */
static void
add_words(struct buf *b, const char *text, bool mask)
{
	bool	inside = false;
	size_t	n;

	for (; *text != '\0'; text++) {
		if (mask && *text == '"') {
			buf_adds(b, inside ? "" : "\"...\"");
			inside = !inside;
		} else if (*text == '\n') {
			n = strspn(text, "\n\t ");
			buf_adds(b, text[n] == '\0' ? "" : ". ");
			text += n - 1;
		} else if (!inside) {
			buf_addc(b, *text == '\t' ? ' ' : *text);
		}
	}
}

static enum drv_result
decide(struct drv *d, const char *state, const char *words, struct sql_blame *blame, const char *doing, struct err *err)
{
	const struct sql_verdict *v = sql_verdict_find(verdicts, NELEM(verdicts), state, 0);
	enum drv_result		 r;

	if (v == NULL) {
		err_set(err, ERR_IO, "%s: %s: %s (SQLSTATE %s)", d->url.where, doing, words, state);
		return DRV_RETRY;
	}
	r = d->opened ? v->running : v->opening;
	err_set(err, v->code, "%s: %s: %s (SQLSTATE %s)", d->url.where, doing, words, state);
	if (r != DRV_RETRY || v->opening != DRV_CONFIG)
		err_remedy(err, v->remedy);
	if (blame != NULL)
		blame->stale = v->stale;
	return r;
}

enum drv_result
pg_fail(struct drv *d, const PGresult *res, struct sql_blame *blame, const char *doing, struct err *err)
{
	const char	*state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
	const char	*column = PQresultErrorField(res, PG_DIAG_COLUMN_NAME);
	const char	*text = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
	struct buf	 words = { 0 };
	enum drv_result	 r;

	if (state == NULL || text == NULL) {
		err_set(err, ERR_IO, "%s: %s: the connection was lost", d->url.where, doing);
		return DRV_RETRY;
	}
	add_words(&words, text, strncmp(state, "22", 2) == 0);
	if (column != NULL && strstr(text, column) == NULL)
		buf_printf(&words, ", column \"%s\"", column);
	r = decide(d, state, buf_cstr(&words), blame, doing, err);
	if (strcmp(state, "26000") == 0 || strcmp(state, "42P05") == 0)
		d->unnamed = true;
	if (strcmp(state, "25006") == 0)
		d->elsewhere = true;	/* the name may lead to another server by now */
	buf_free(&words);
	return r;
}

/* "...FATAL:  28P01: password ...", as PQERRORS_VERBOSE has it, in whatever language. */
static const char *
find_state(const char *text, char *state)
{
	for (const char *p = strstr(text, ":  "); p != NULL; p = strstr(p + 1, ":  ")) {
		const char *s = p + 3;
		size_t n = 0;

		while (n < 5 && (isupper((unsigned char)s[n]) || isdigit((unsigned char)s[n])))
			n++;
		if (n == 5 && s[5] == ':' && s[6] == ' ') {
			memcpy(state, s, 5);
			state[5] = '\0';
			return s + 7;
		}
	}
	return NULL;
}

/* libpq's own words; programs of ours do not ask for translations. */
static bool
is_tls_matter(const char *text)
{
	return strstr(text, "certificate") != NULL || strstr(text, "does not support SSL") != NULL;
}

enum drv_result
pg_fail_connect(struct drv *d, PGconn *conn, struct err *err)
{
	const char	*text = PQerrorMessage(conn), *words;
	struct buf	 line = { 0 };
	char		 state[6];
	enum drv_result	 r = DRV_RETRY;
	char		*end;

	if ((words = find_state(text, state)) != NULL) {
		add_words(&line, words, false);
		if ((end = strstr(buf_cstr(&line), ". LOCATION: ")) != NULL)
			*end = '\0';
		r = decide(d, state, buf_cstr(&line), NULL, "connecting", err);
	} else {
		add_words(&line, text, false);
		if (is_tls_matter(text)) {
			r = d->opened ? DRV_RETRY : DRV_CONFIG;
			err_set(err, ERR_CONFIG, "%s: connecting: %s; name the authority's file by sslrootcert in the URL, or turn "
			    "the check off by sslmode=require", d->url.where, buf_cstr(&line));
		} else {
			err_set(err, ERR_TEMPORARY, "%s: connecting: %s", d->url.where, buf_cstr(&line));
		}
	}
	buf_free(&line);
	return r;
}
