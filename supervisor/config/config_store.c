/* What HQ decides, written into config.toml. */

#include "supervisor/config/config_private.h"
#include "supervisor/config/toml.h"

/* A setting and its new value. */
struct setting {
	const char	*key, *value;
};

static int
store(const char *data_dir, const struct setting *settings, size_t n, struct err *err)
{
	struct buf	 path = { 0 };
	struct toml	*t = NULL;
	int		 rc;

	buf_printf(&path, "%s/config.toml", data_dir);
	rc = path.oom ? err_set(err, ERR_NOMEM, "config.toml") : toml_load(&t, buf_cstr(&path), err);
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = toml_set_string(t, settings[i].key, settings[i].value, err);
	if (rc == 0)
		rc = toml_save(t, TOML_LITERAL, buf_cstr(&path), err);
	if (rc == -1)
		(void)err_prefix(err, "%s", buf_cstr(&path));
	toml_free(&t);
	buf_free(&path);
	return rc;
}

int
config_store_destination(const char *data_dir, const char *url, const char *update_strategy, struct err *err)
{
	const struct setting settings[] = { { "update_strategy", update_strategy }, { "url", url } };

	return store(data_dir, settings, NELEM(settings), err);
}

int
config_store_deleted(const char *data_dir, struct err *err)
{
	return store(data_dir, &(struct setting){ "server_id", "" }, 1, err);
}
