/* `eds download`: a release of this program, verified. */

#include "supervisor/cli/cli.h"
#include "supervisor/upgrade/release.h"

int
cmd_download(const struct cli *cli)
{
	const struct release	 release = { .url = cli->release_url, .key_file = cli->release_key };
	const char		*version = cli->args[0];
	struct err		 err = { 0 };
	struct log		 lg;

	log_make(&lg, "download", NULL);
	if (release_download(&release, version, cli->args[1], &err) == -1) {
		log_error(&lg, "%s", err.text);
		return 1;
	}
	log_info(&lg, "version %s%s download successful, saved to %s", version[0] == 'v' ? "" : "v", version, cli->args[1]);
	return 0;
}
