#ifndef EDS_CONFIG_PRIVATE_H
#define EDS_CONFIG_PRIVATE_H

#include "supervisor/config/config.h"

/* What the configuration's own files share. */

enum option_type {
	OPT_TEXT, OPT_NAME, OPT_PATH, OPT_ADDRESS, OPT_URL, OPT_SERVERS, OPT_SECRET_URL, OPT_URL_FILE,	/* char *   */
	OPT_LIST,										/* char **  */
	OPT_COUNT, OPT_SIZE,									/* uint64_t */
	OPT_DURATION,										/* int64_t, ms */
	OPT_BOOL, OPT_PORT, OPT_LEVEL, OPT_OPERATIONS, OPT_ACTIONS, OPT_ON_REJECT,
};

enum option_section { SECTION_SERVER, SECTION_DESTINATION };

struct config_option {
	enum option_section	 section;
	const char		*key;
	enum option_type	 type;
	size_t			 offset;	/* in struct config or struct destination_config */
	const char		*dflt;
	int64_t			 least, most;	/* 0, 0: no range */
	bool			 restart;	/* takes effect when eds is started anew */
	const char		*help;
};

/* config_options.c: the table made from config_options.def. */
const struct config_option *config_options(size_t *n_r);
#define CONFIG_OPTIONS_MAX	64
const struct config_option *config_option_find(enum option_section, struct slice key);
const struct config_option *config_option_nearest(enum option_section, struct slice key);	/* NULL: nothing like it */
unsigned config_distance(struct slice a, struct slice b);	/* letters to change */

/* config_value.c: one value.  `base` is the struct that the option's offset belongs to. */
int	 config_value_set(const struct config_option *, void *base, struct slice value, struct err *) MUST_CHECK;
bool	 config_value_same(const struct config_option *, const void *a, const void *b);
void	 config_value_swap(const struct config_option *, void *a, void *b);
void	 config_value_free(const struct config_option *, void *base);
int	 config_defaults(enum option_section, void *base, struct err *) MUST_CHECK;

/* config_parse.c: the text of eds.conf into a config that has its defaults.  `file` is for messages and
 * for the folder that relative paths start from. */
struct config_seen {
	unsigned	 server[CONFIG_OPTIONS_MAX];	/* line of each option of [server], 0: not given */
	unsigned	 secret_line;			/* first `url` that holds a secret, 0: none */
};
int	 config_parse(struct config *, struct slice text, const char *file, struct config_seen *, struct err *) MUST_CHECK;

/* config_secret.c: files that hold secrets. */
int	 config_read_file(struct buf *, const char *path, size_t most, struct err *) MUST_CHECK;
int	 config_read_secret(char **url_r, const char *path, struct err *) MUST_CHECK;
void	 config_tighten(const char *path);
void	 config_warn_secret(const char *conf, unsigned line);	/* line 0: no secret in it */
bool	 config_url_has_secret(struct slice url);		/* a guess, for the warning */
void	 config_secret_free(char **);				/* wipes */

/* config_destination.c */
struct destination_config *config_destination_add(struct config *, struct slice name, const char *origin, struct err *) MUST_CHECK;
int	 config_destination_from_url(struct config *, const char *url, const char *origin, struct err *) MUST_CHECK;
int	 config_destination_check(const struct destination_config *, struct err *) MUST_CHECK;
void	 config_destinations_free(struct config *);

char	**config_strings_dup(char *const *);	/* NULL for NULL and when memory is short */
void	 config_strings_free(char **);

#endif
