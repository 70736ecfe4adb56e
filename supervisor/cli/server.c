/* `eds server`: from the command line to supervisor_run(). */

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "supervisor/cli/cli.h"
#include "supervisor/supervisor.h"
#include "supervisor/upgrade/programs.h"

/* What the operator wrote ends with 3, everything else with 1. */
static int
complain(const struct log *lg, const struct err *err)
{
	if (err->code == ERR_INVALID) {		/* config.toml, in the form that scripts know */
		(void)printf("%s\n", err->text);
		return EXIT_USAGE;
	}
	log_error(lg, "%s", err->text);
	return err->code == ERR_CONFIG ? EXIT_USAGE : EXIT_FATAL;
}

static bool
is_enrolled(const struct config *c)
{
	return c->creds_file != NULL || c->server_id != NULL;
}

/* 0 and the config, or the exit code. */
static int
load(struct cli *cli, const struct log *lg, struct config **c_r)
{
	struct err	 err = { 0 };
	int		 rc;

	if (config_load(c_r, &cli->flags, &err) != 0)
		return complain(lg, &err);
	if (!is_enrolled(*c_r)) {
		rc = prompt_enroll((*c_r)->data_dir, cli->flags.api_url);
		config_free(c_r);
		if (rc != 0)
			return rc;
		if (config_load(c_r, &cli->flags, &err) != 0)
			return complain(lg, &err);
	}
	if ((*c_r)->token == NULL && (*c_r)->creds_file == NULL) {
		log_error(lg, "API key not found. Make sure you run `%s enroll [CODE]` before continuing.", cli_program());
		config_free(c_r);
		return EXIT_FATAL;
	}
	return 0;
}

/* Asked for at the start: by the time it is needed, the file may have been replaced. */
static void
own_path(char path[PATH_MAX])
{
	ssize_t	 n = readlink("/proc/self/exe", path, PATH_MAX - 1);

	path[n > 0 ? n : 0] = '\0';
}

/* The installed program: it decides anew which version is to run. */
static int
run_again(const struct cli *cli, const struct log *lg, const char *path)
{
	const char	*base = getenv(PROGRAMS_BASE);

	(void)fflush(NULL);
	if (base != NULL)
		(void)execv(base, cli->argv);
	(void)execv(path, cli->argv);
	log_error(lg, "cannot start %s again: %m", path);
	return EXIT_FATAL;
}

/* Hands over to the version of an upgrade, if there is one; returns when this one is to run. */
static void
hand_over(const struct cli *cli, const struct log *lg, const char *data_dir, const char *self)
{
	struct buf	 path = { 0 }, said = { 0 }, back = { 0 };
	bool		 other = programs_choose(data_dir, self, &path, &said).p != NULL;

	if (said.len > 0)
		log_warn(lg, "%s", buf_cstr(&said));
	if (other && setenv(PROGRAMS_BASE, self, 0) == 0) {
		(void)fflush(NULL);
		(void)execv(buf_cstr(&path), cli->argv);
		log_error(lg, "cannot start %s: %m; going on with the installed version", buf_cstr(&path));
		programs_give_up(data_dir, &back);
	}
	buf_free(&back);
	buf_free(&path);
	buf_free(&said);
}

int
cmd_server(struct cli *cli)
{
	struct config	*c = NULL;
	struct err	 err = { 0 };
	struct log	 lg;
	char		 path[PATH_MAX], *dir;
	int		 rc;

	log_make(&lg, "server", NULL);
	own_path(path);
	if ((dir = config_data_dir(cli->flags.data_dir, &err)) == NULL || data_dir_ensure(dir, &err) != 0) {
		free(dir);
		log_error(&lg, "%s", err.text);
		return EXIT_FATAL;
	}
	hand_over(cli, &lg, dir, path);
	free(dir);
	if ((rc = load(cli, &lg, &c)) != 0)
		return rc;
	log_init(c->log_level, c->log_timestamps, c->log_label);
	rc = supervisor_run(c, &cli->flags, path);
	return rc == SUPERVISOR_AGAIN ? run_again(cli, &lg, path) : rc;
}
