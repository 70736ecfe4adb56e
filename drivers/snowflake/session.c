/* Signing in and out, and the tokens in between. */

#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>

#include "drivers/snowflake/session.h"
#include "drivers/snowflake/trouble.h"
#include "ipc/base/json_out.h"
#include "ipc/base/url.h"

#define JWT_LIFETIME_S	60
#define LOGIN_ATTEMPT_MS	10000
#define CLOSE_MS	5000
#define HEARTBEAT_MS	30000

void
snow_session_init(struct snow_session *s, struct https *https, struct snow_account *account, const struct drv_host *host,
    const struct log *log)
{
	*s = (struct snow_session){ .wire = { .https = https, .account = account, .host = host }, .account = account,
	    .log = log };
}

static void
wipe(char **secret)
{
	if (*secret != NULL)
		explicit_bzero(*secret, strlen(*secret));
	free(*secret);
	*secret = NULL;
}

static void
forget(struct snow_session *s)
{
	wipe(&s->token);
	wipe(&s->master);
	s->sequence = 0;
}

void
snow_session_drop(struct snow_session *s)
{
	struct snow_reply	 r;
	struct err		 err;

	if (s->token == NULL)
		return;
	/* A failure leaves a session that the server ends by itself. */
	(void)snow_call(&s->wire, &(struct snow_call){ .method = "POST", .path = "/session?delete=true", .token = s->token,
	    .body = SLICE(""), .timeout_ms = CLOSE_MS, .patience = SNOW_ONCE }, &r, &err);
	forget(s);
}

void
snow_session_free(struct snow_session *s)
{
	if (s->account != NULL)
		snow_session_drop(s);
	buf_free_wiped(&s->wire.auth);
	buf_free(&s->wire.url);
	free(s->database);
	free(s->schema);
	*s = (struct snow_session){ .account = NULL };
}

/* --- signing in --- */

static void
add_member(struct buf *b, const char *name, const char *value)
{
	if (b->len > 0 && b->data[b->len - 1] != '{')
		buf_addc(b, ',');
	json_out_str(b, slice_of(name));
	buf_addc(b, ':');
	json_out_str(b, slice_of(value));
}

/* The result format is asked for under the name that belongs to the kind of client. */
static const char *
format_parameter(const char *client_id)
{
	static const char *const names[][2] = {
		{ "Go", "GO_QUERY_RESULT_FORMAT" }, { "C API", "C_API_QUERY_RESULT_FORMAT" }, { "ODBC", "ODBC_QUERY_RESULT_FORMAT" },
		{ "JDBC", "JDBC_QUERY_RESULT_FORMAT" }, { "PythonConnector", "PYTHON_CONNECTOR_QUERY_RESULT_FORMAT" },
	};

	for (size_t i = 0; i < NELEM(names); i++)
		if (strcmp(names[i][0], client_id) == 0)
			return names[i][1];
	return NULL;
}

static void
add_session_parameters(struct buf *b, const struct snow_account *a)
{
	const char	*format = format_parameter(a->client_id);

	buf_adds(b, ",\"SESSION_PARAMETERS\":{\"AUTOCOMMIT\":true,\"CLIENT_SESSION_KEEP_ALIVE\":true,"
	    "\"CLIENT_VALIDATE_DEFAULT_PARAMETERS\":true,\"TIMEZONE\":\"UTC\"");
	if (format != NULL)
		add_member(b, format, "JSON");
	for (size_t i = 0; i < a->nparams; i++)
		add_member(b, a->params[i].name, a->params[i].value);
	buf_addc(b, '}');
}

static void
add_environment(struct buf *b)
{
	struct utsname	 u;

	buf_adds(b, ",\"CLIENT_ENVIRONMENT\":{");
	add_member(b, "APPLICATION", "eds");
	if (uname(&u) == 0) {
		add_member(b, "OS", u.sysname);
		add_member(b, "OS_VERSION", u.release);
	}
	buf_addc(b, '}');
}

/* `key` NULL: by password. */
static int
add_login(struct buf *b, const struct snow_account *a, const struct snow_key *key, struct err *err)
{
	struct buf	 jwt = { 0 };
	int		 rc = 0;

	buf_adds(b, "{\"data\":{");
	add_member(b, "CLIENT_APP_ID", a->client_id);
	add_member(b, "CLIENT_APP_VERSION", a->client_version);
	add_member(b, "SVN_REVISION", "");
	add_member(b, "ACCOUNT_NAME", a->name);
	add_member(b, "LOGIN_NAME", a->user);
	if (key == NULL) {
		add_member(b, "PASSWORD", a->password);
	} else if ((rc = snow_jwt(&jwt, key, a->name, a->user, wall_ms() / 1000, JWT_LIFETIME_S, err)) == 0) {
		add_member(b, "AUTHENTICATOR", "SNOWFLAKE_JWT");
		add_member(b, "TOKEN", buf_cstr(&jwt));
	}
	add_session_parameters(b, a);
	add_environment(b);
	buf_adds(b, "}}");
	buf_free_wiped(&jwt);
	return rc;
}

static void
add_query(struct buf *b, const char *name, const char *value)
{
	if (value == NULL)
		return;
	buf_printf(b, "%s%s=", b->len == 0 ? "" : "&", name);
	url_escape_segment(b, slice_of(value));
}

static char *
copy_text(const struct json_val *object, const char *name)
{
	struct buf	 scratch = { 0 };
	struct slice	 text = snow_text(object, name, &scratch);
	char		*copy = text.p == NULL ? NULL : slice_dup(text);

	buf_free(&scratch);
	return copy;
}

/* Whether what the URL names is what the session has got. */
static enum drv_result
check_place(struct snow_session *s, const struct snow_reply *r, struct err *err)
{
	const struct snow_account *a = s->account;
	struct json_val		 info = { .type = JV_ABSENT };

	if (r->data.type == JV_OBJECT)
		info = json_member(&r->data, "sessionInfo");
	free(s->database);
	free(s->schema);
	s->database = copy_text(&info, "databaseName");
	s->schema = copy_text(&info, "schemaName");
	if (a->database != NULL && s->database == NULL)
		err_set(err, ERR_CONFIG, "the database \"%s\" does not exist in account %s, or role and user may not use it", a->database,
		    a->name);
	else if (a->schema != NULL && s->schema == NULL)
		err_set(err, ERR_CONFIG, "the schema \"%s\" does not exist in database %s, or role and user may not use it", a->schema,
		    s->database);
	else
		return DRV_STORED;
	return DRV_CONFIG;
}

static enum drv_result
take_login(struct snow_session *s, const struct snow_reply *r, struct err *err)
{
	enum drv_result	 rc;
	struct slice	 next = { NULL, 0 };
	struct buf	 scratch = { 0 };

	next = snow_text(&r->data, "nextAction", &scratch);
	if (next.p != NULL) {
		err_set(err, ERR_CONFIG, slice_is(next, "PWD_CHANGE") ?
		    "Snowflake wants the password of user %s to be changed: do so in Snowsight, or use a key pair" :
		    "Snowflake asks user %s for a second factor, which a server cannot give: use a key pair (snowflake-keypair://)",
		    s->account->user);
		buf_free(&scratch);
		return DRV_CONFIG;
	}
	buf_free(&scratch);
	if ((rc = check_place(s, r, err)) != DRV_STORED)
		return rc;
	s->token = copy_text(&r->data, "token");
	s->master = copy_text(&r->data, "masterToken");
	if (s->token != NULL) {
		s->number++;
		return DRV_STORED;
	}
	err_set(err, ERR_INVALID, "Snowflake's answer to the sign-in has no token");
	return DRV_RETRY;
}

static enum drv_result
sign_in_once(struct snow_session *s, const struct snow_key *key, struct snow_reply *r, struct err *err)
{
	const struct snow_account *a = s->account;
	struct buf	 body = { 0 }, query = { 0 };
	enum drv_result	 rc = DRV_RETRY;

	add_query(&query, "databaseName", a->database);
	add_query(&query, "schemaName", a->schema);
	add_query(&query, "warehouse", a->warehouse);
	add_query(&query, "roleName", a->role);
	if (add_login(&body, a, key, err) == 0 && !body.oom && !query.oom)
		rc = snow_call(&s->wire, &(struct snow_call){ .method = "POST", .path = "/session/v1/login-request",
		    .params = query.len == 0 ? NULL : buf_cstr(&query), .body = buf_slice(&body),
		    .timeout_ms = LOGIN_ATTEMPT_MS, .patience = SNOW_SIGN_IN }, r, err);
	else if (body.oom || query.oom)
		err_set(err, ERR_NOMEM, "no memory to sign in to Snowflake");
	buf_free_wiped(&body);
	buf_free(&query);
	return rc;
}

/* Each attempt has a token of its own: a slow path must not outlive it. */
static enum drv_result
sign_in_patiently(struct snow_session *s, const struct snow_key *key, struct err *err)
{
	mono_t			 end = mono_now() + (mono_t)s->account->login_timeout_s * 1000;
	struct snow_reply	 r;
	enum drv_result		 rc;
	bool			 again = true;
	int64_t			 pause;

	for (unsigned done = 1; ; done++) {
		rc = sign_in_once(s, key, &r, err);
		if (rc == DRV_STORED && r.success)
			return take_login(s, &r, err);
		if (rc == DRV_STORED) {
			rc = snow_login_refused(s->account, key, &r, err);
			if (rc == DRV_CONFIG && key != NULL && again && snow_is_jwt_code(r.code)) {
				again = false;		/* once more, with the clock as it is now */
				continue;
			}
		}
		pause = (int64_t)1000 << (done > 5 ? 5 : done);
		pause = pause / 2 + (int64_t)random_below((uint64_t)pause);
		if (rc == DRV_CONFIG || mono_now() + pause >= end || !snow_wait(&s->wire, pause))
			break;
	}
	return rc == DRV_CONFIG ? rc : DRV_RETRY;	/* nothing was to be stored */
}

enum drv_result
snow_sign_in(struct snow_session *s, struct err *err)
{
	struct snow_key	*key = NULL;
	enum drv_result	 rc;

	if (s->token != NULL)
		return DRV_STORED;
	if (s->account->keypair && snow_key_load(&key, s->account, err) != 0)
		return err->code == ERR_NOMEM ? DRV_RETRY : DRV_CONFIG;
	rc = sign_in_patiently(s, key, err);
	snow_key_free(&key);
	return rc;
}

/* --- tokens --- */

static enum drv_result
renew(struct snow_session *s, struct err *err)
{
	struct buf		 body = { 0 };
	struct snow_reply	 r;
	enum drv_result		 rc = DRV_RETRY;
	char			*token;

	if (s->master == NULL) {
		forget(s);
		err_set(err, ERR_TEMPORARY, "the session ran out; a new one is begun");
		return DRV_RETRY;
	}
	buf_addc(&body, '{');
	add_member(&body, "oldSessionToken", s->token);
	add_member(&body, "requestType", "RENEW");
	buf_addc(&body, '}');
	if (!body.oom)
		rc = snow_call(&s->wire, &(struct snow_call){ .method = "POST", .path = "/session/token-request",
		    .token = s->master, .body = buf_slice(&body), .timeout_ms = LOGIN_ATTEMPT_MS,
		    .patience = SNOW_SIGN_IN }, &r, err);
	explicit_bzero(body.data, body.cap);
	buf_free(&body);
	if (rc != DRV_STORED)
		return DRV_RETRY;
	if (!r.success || (token = copy_text(&r.data, "sessionToken")) == NULL) {
		forget(s);
		err_set(err, ERR_TEMPORARY, "the session ran out; a new one is begun");
		return DRV_RETRY;
	}
	wipe(&s->token);
	s->token = token;
	if ((token = copy_text(&r.data, "masterToken")) != NULL) {
		wipe(&s->master);
		s->master = token;
	}
	return DRV_STORED;
}

enum drv_result
snow_ask(struct snow_session *s, struct snow_call *c, struct snow_reply *r, struct err *err)
{
	char		 id[UUID_LEN + 1];
	enum drv_result	 rc;

	if (c->request_id == NULL) {
		uuid_random(id);
		c->request_id = id;
	}
	for (unsigned renewals = 0; ; renewals++) {
		c->token = s->token;
		if ((rc = snow_call(&s->wire, c, r, err)) != DRV_STORED || r->success)
			break;
		if (snow_is_session_gone(r->code)) {
			forget(s);
			err_set(err, ERR_TEMPORARY, "the session was ended by Snowflake; a new one is begun");
			rc = DRV_RETRY;
			break;
		}
		if (r->code != SNOW_TOKEN_EXPIRED || renewals > 1)
			break;
		if ((rc = renew(s, err)) != DRV_STORED)
			break;
	}
	if (c->request_id == id)
		c->request_id = NULL;
	return rc;
}

void
snow_heartbeat(struct snow_session *s)
{
	struct snow_call	 c = { .method = "POST", .path = "/session/heartbeat", .body = SLICE("{}"),
				    .timeout_ms = HEARTBEAT_MS, .patience = SNOW_ONCE };
	struct snow_reply	 r;
	struct err		 err;

	if (s->token != NULL && snow_ask(s, &c, &r, &err) != DRV_STORED)
		log_debug(s->log, "no heartbeat: %s", err.text);
}
