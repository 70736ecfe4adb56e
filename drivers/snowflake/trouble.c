/* From codes to results and remedies. */

#include <stdio.h>
#include <time.h>

#include "drivers/snowflake/trouble.h"
#include "drivers/sql/verdict.h"

bool
snow_is_jwt_code(int code)
{
	return code == 390144 || code == 394300 || code == 394301;
}

bool
snow_is_session_gone(int code)
{
	return code == 390101 || code == 390104 || (code >= 390110 && code <= 390115 && code != SNOW_TOKEN_EXPIRED) ||
	    code == 390400;
}

/* --- signing in --- */

static void
say_clock(struct buf *b)
{
	time_t		 now = time(NULL);
	struct tm	 tm;
	char		 text[64] = "";

	if (gmtime_r(&now, &tm) != NULL)
		(void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	buf_printf(b, "the clock of this machine says %s", text);
}

static void
say_key_refused(struct buf *b, const struct snow_account *a, const struct snow_key *key)
{
	buf_printf(b, "Snowflake does not accept the key of user %s in account %s: check with DESC USER that RSA_PUBLIC_KEY_FP is ",
	    a->user, a->name);
	snow_key_fingerprint(b, key);
	buf_adds(b, ", that the user is the login name, and the time: ");
	say_clock(b);
}

static void
say_login(struct buf *b, const struct snow_account *a, const struct snow_key *key, int code)
{
	switch (code) {
	case 390100:
		buf_printf(b, "Snowflake refuses user %s or the password in account %s: check both, and that password sign-in is still "
		    "allowed for this user; single-factor passwords are being switched off, use a key pair (snowflake-keypair://)", a->user,
		    a->name);
		break;
	case 390197:
	case 394507:
	case 394508:
		buf_printf(b, "Snowflake does not let user %s sign in with a password alone any more: use a key pair "
		    "(snowflake-keypair://)", a->user);
		break;
	case 390102:
	case 390106:
	case 390107:
		buf_printf(b, "user %s is disabled, locked or its password has run out in account %s: unlock it there", a->user, a->name);
		break;
	case 390144:
	case 394300:
	case 394301:
	case 394302:
	case 394303:
	case 394304:
	case 394305:
	case 394306:
		if (key != NULL)
			say_key_refused(b, a, key);
		break;
	case 390189:
		buf_printf(b, "the role \"%s\" does not exist or is not granted to user %s: correct role= in the URL, or grant it",
		    a->role == NULL ? "(the user's default)" : a->role, a->user);
		break;
	case 390201:
		buf_printf(b, "database \"%s\", schema \"%s\" or warehouse \"%s\" does not exist, or role and user may not use it",
		    a->database, a->schema == NULL ? "(default)" : a->schema, a->warehouse == NULL ? "(default)" : a->warehouse);
		break;
	case 390303:
	case 390318:
		buf_adds(b, "the access token is not valid or has run out: make a new one");
		break;
	case 390422:
		buf_printf(b, "a network policy of account %s keeps this machine's address out: allow it there", a->name);
		break;
	default:
		break;
	}
}

/* Not to be mended by waiting: what nobody thought of may be. */
static bool
is_login_code(int code)
{
	return (code >= 390100 && code <= 390109) || (code >= 390144 && code <= 390197) || code == 390189 || code == 390201 ||
	    code == 390303 || code == 390318 || code == 390422 || (code >= 394300 && code <= 394599);
}

enum drv_result
snow_login_refused(const struct snow_account *a, const struct snow_key *key, const struct snow_reply *r, struct err *err)
{
	struct buf	 b = { 0 };

	say_login(&b, a, key, r->code);
	if (b.len == 0)
		buf_printf(&b, "Snowflake refuses the sign-in of user %s in account %s as client %s %s", a->user, a->name, a->client_id,
		    a->client_version);
	err_set(err, ERR_AUTH, "%s (%06d: " SLICE_FMT ")", buf_cstr(&b), r->code, SLICE_ARG(r->message));
	buf_free(&b);
	return is_login_code(r->code) ? DRV_CONFIG : DRV_RETRY;
}

/* --- statements --- */

#define BY_NUMBER(n, opening, running, code, remedy)	{ NULL, n, opening, running, code, remedy, false }
#define STALE(n, opening, running, code, remedy)	{ NULL, n, opening, running, code, remedy, true }
#define ROW(n, remedy)	{ NULL, n, DRV_CONFIG, DRV_REJECT, ERR_INVALID, remedy, false }

static const struct sql_verdict	verdicts[] = {
	BY_NUMBER(604, DRV_RETRY, DRV_RETRY, ERR_TEMPORARY, "the statement was cancelled"),
	BY_NUMBER(603, DRV_RETRY, DRV_RETRY, ERR_TEMPORARY, "an internal error of Snowflake"),
	BY_NUMBER(625, DRV_RETRY, DRV_RETRY, ERR_TEMPORARY, "too many statements wait for the table"),
	BY_NUMBER(630, DRV_RETRY, DRV_RETRY, ERR_TEMPORARY, "it took too long; a larger warehouse may help"),
	BY_NUMBER(606, DRV_CONFIG, DRV_RETRY, ERR_CONFIG, "no warehouse is running for the session: name one that the role may use with "
	    "warehouse= in the URL, or resume it (ALTER WAREHOUSE ... RESUME)"),
	BY_NUMBER(90073, DRV_CONFIG, DRV_RETRY, ERR_CONFIG, "the warehouse is suspended and does not resume by itself: ALTER WAREHOUSE ... RESUME, "
	    "or set AUTO_RESUME"),
	BY_NUMBER(2043, DRV_CONFIG, DRV_RETRY, ERR_CONFIG, "it does not exist, or the role may not see it"),
	BY_NUMBER(90105, DRV_CONFIG, DRV_RETRY, ERR_CONFIG, "the session has no database or schema: name them in the URL"),
	BY_NUMBER(90106, DRV_CONFIG, DRV_RETRY, ERR_CONFIG, "the session has no schema: name it in the URL"),
	BY_NUMBER(3001, DRV_CONFIG, DRV_RETRY, ERR_CONFIG, "the role lacks a privilege: grant it"),
	BY_NUMBER(90064, DRV_RETRY, DRV_RETRY, ERR_TEMPORARY, "the account or warehouse is at its limit"),
	STALE(904, DRV_CONFIG, DRV_RETRY, ERR_CONFLICT, "a column is not there; the catalogue is read anew"),
	STALE(2003, DRV_CONFIG, DRV_RETRY, ERR_CONFLICT, "it does not exist, or the role may not use it; the catalogue is read anew"),
	BY_NUMBER(8, DRV_BROKEN, DRV_BROKEN, ERR_INVALID, "the number of statements is not what was announced"),
	BY_NUMBER(100090, DRV_BROKEN, DRV_BROKEN, ERR_INVALID, "a row came twice in one statement"),
	BY_NUMBER(1003, DRV_BROKEN, DRV_BROKEN, ERR_INVALID, "Snowflake does not understand the statement"),
	ROW(100035, "a value is no timestamp"),
	ROW(100037, "a value is no boolean"),
	ROW(100038, "a value is no number"),
	ROW(100039, "a number does not fit its column"),
	ROW(100040, "a value is no date"),
	ROW(100046, "a number does not fit its column"),
	ROW(100069, "a value is no JSON"),
	ROW(100071, "a value does not fit its column"),
	ROW(100072, "a column that must not be empty is"),
	ROW(100078, "a text is longer than its column"),
	ROW(100082, "a value is longer than its column"),
	ROW(100132, "a value is no JSON"),
	ROW(100145, "a value is too large"),
};

/*
 * SQLSTATE 22... is about data.  The server's words may then quote a value, and those about syntax quote the
 * statement: of these only the code is shown.
 */
static bool
speaks_of_data(const struct snow_reply *r)
{
	struct buf	 scratch = { 0 };
	struct slice	 state = snow_text(&r->data, "sqlState", &scratch);
	bool		 yes = state.n >= 2 && memcmp(state.p, "22", 2) == 0;

	buf_free(&scratch);
	return yes;
}

enum drv_result
snow_refused(const struct snow_reply *r, const char *doing, bool opening, bool *stale_r, struct err *err)
{
	const struct sql_verdict *v = sql_verdict_find(verdicts, NELEM(verdicts), NULL, r->code);
	struct buf		  scratch = { 0 };
	struct slice		  query = snow_text(&r->data, "queryId", &scratch);
	bool			  row = v == NULL ? speaks_of_data(r) : v->running == DRV_REJECT;
	bool			  quiet = row || r->code == 1003;

	if (stale_r != NULL)
		*stale_r = v != NULL && v->stale;
	err_set(err, v == NULL ? ERR_TEMPORARY : v->code, "%s: %s%s" SLICE_FMT " (Snowflake code %06d%s" SLICE_FMT ")", doing,
	    v != NULL ? v->remedy : row ? "a value is refused" : "Snowflake refuses", quiet ? "" : ": ",
	    quiet ? 0 : (int)r->message.n, quiet || r->message.p == NULL ? "" : r->message.p,
	    r->code, query.p == NULL ? "" : ", query ", SLICE_ARG(query));
	buf_free(&scratch);
	if (v == NULL)
		return row && !opening ? DRV_REJECT : DRV_RETRY;
	return opening ? v->opening : v->running;
}
