/* Folders and files for tests of what walks trees, below one folder that is gone afterwards. */
#pragma once

/* For cmocka_run_group_tests(): make the folder, remove it. */
int tree_kit_start(void **state);
int tree_kit_stop(void **state);

/* The folder's path. */
const char *tree_kit_root(void);

/* A directory below it, made if it is not there; open. */
int tree_kit_dir(const char *name);

/* A new file with this text. */
void tree_kit_file(int dir, const char *name, const char *text);
