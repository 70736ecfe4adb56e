/* Enrollment: a one-time code for a token and a server id, kept in config.toml. */

#include <stdio.h>
#include <stdlib.h>

#include "supervisor/cli/cli.h"
#include "supervisor/config/toml.h"
#include "supervisor/hq/api.h"
#include "supervisor/hq/token.h"

struct exchange {
	json_t		*data;
	struct err	*err;
};

static void
on_answer(void *arg, const struct http_response *r)
{
	struct exchange	*x = arg;

	if (r->status == 404)
		(void)err_set(x->err, ERR_NOTFOUND, "invalid enrollment code or it has already been used");
	else
		x->data = api_data(r, "enroll", x->err);
}

/* One call, waited for. */
static json_t *
exchange(const char *url, struct err *err)
{
	const struct http_request	 request = { .method = "GET", .url = url, .retry = true };
	struct exchange			 x = { .err = err };

	return http_wait(&request, on_answer, &x, err) == -1 ? NULL : x.data;
}

/*
 * What an earlier enrollment left (destination, strategy) belongs to that server
 * and goes; keys that are not ours stay.
 */
static int
keep(const char *data_dir, const char *token, const char *server_id, struct err *err)
{
	static const char *const old[] = { "token", "server_id", "url", "update_strategy", "keep_logs" };
	struct buf		 path = { 0 };
	struct toml		*t = NULL;
	int			 rc = -1;

	buf_printf(&path, "%s/config.toml", data_dir);
	if (toml_load(&t, buf_cstr(&path), err) != 0 && toml_parse(&t, SLICE(""), err) != 0)
		goto out;		/* a broken file is replaced: that is what enrolling again is for */
	for (size_t i = 0; i < NELEM(old); i++)
		toml_remove(t, old[i]);
	if (toml_set_string(t, "token", token, err) == 0 && toml_set_string(t, "server_id", server_id, err) == 0)
		rc = toml_save(t, TOML_BASIC, buf_cstr(&path), err);
out:
	toml_free(&t);
	buf_free(&path);
	return rc;
}

static bool
is_printable(struct slice code)
{
	for (size_t i = 0; i < code.n; i++)
		if ((unsigned char)code.p[i] <= ' ' || code.p[i] == 0x7f)
			return false;
	return true;
}

int
enroll(const char *text, const char *data_dir, const char *api_url, struct err *err)
{
	struct slice	 code = slice_trim(slice_of(text));
	struct buf	 url = { 0 };
	const char	*token, *server_id;
	json_t		*data;
	int		 rc = -1;

	if (code.n == 0 || code.n > 200 || !is_printable(code))
		return err_set(err, ERR_CONFIG, "that is no enrollment code: copy the one that HQ shows, it is one word");
	if ((api_url == NULL || api_url[0] == '\0') && (api_url = enrol_api_url(code)) == NULL)
		return err_set(err, ERR_CONFIG, "error getting api url: invalid code");
	enrol_url(&url, api_url, code);
	data = exchange(buf_cstr(&url), err);
	buf_free(&url);
	if (data == NULL)
		return -1;
	token = json_string_value(json_object_get(data, "token"));
	server_id = json_string_value(json_object_get(data, "serverId"));
	if (token == NULL || token[0] == '\0' || server_id == NULL || server_id[0] == '\0')
		(void)err_set(err, ERR_INVALID, "enroll: the answer lacks the token or the server id");
	else
		rc = keep(data_dir, token, server_id, err);
	json_decref(data);
	return rc;
}

int
cmd_enroll(struct cli *cli)
{
	struct err	 err = { 0 };
	struct log	 lg;
	char		*dir;
	int		 rc = -1;

	log_make(&lg, "enroll", NULL);
	if ((dir = config_data_dir(cli->flags.data_dir, &err)) != NULL && data_dir_ensure(dir, &err) == 0)
		rc = enroll(cli->args[0], dir, cli->flags.api_url, &err);
	free(dir);
	if (rc != 0) {
		log_error(&lg, "%s", err.text);
		return 1;
	}
	log_info(&lg, "Enrollment successful!");
	log_info(&lg, "run `%s server` to start the server", cli_program());
	return 0;
}
