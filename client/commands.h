/* Where the command tables are: one file for each group of commands. */
#pragma once

#include "client/cli.h"
#include "client/client.h"

extern const struct cli_command cmd_action_commands[];
extern const struct cli_command cmd_alias_commands[];
extern const struct cli_command cmd_backup_commands[];
extern const struct cli_command cmd_cluster_commands[];
extern const struct cli_command cmd_cluster_evacuate_commands[];
extern const struct cli_command cmd_cluster_group_commands[];
extern const struct cli_command cmd_cluster_plan_commands[];
extern const struct cli_command cmd_completion_commands[];
extern const struct cli_command cmd_config_commands[];
extern const struct cli_command cmd_config_device_commands[];
extern const struct cli_command cmd_config_metadata_commands[];
extern const struct cli_command cmd_config_trust_commands[];
extern const struct cli_command cmd_console_commands[];
extern const struct cli_command cmd_copy_commands[];
extern const struct cli_command cmd_delete_commands[];
extern const struct cli_command cmd_exec_commands[];
extern const struct cli_command cmd_file_commands[];
extern const struct cli_command cmd_image_commands[];
extern const struct cli_command cmd_image_alias_commands[];
extern const struct cli_command cmd_info_commands[];
extern const struct cli_command cmd_init_commands[];
extern const struct cli_command cmd_list_commands[];
extern const struct cli_command cmd_monitor_commands[];
extern const struct cli_command cmd_network_commands[];
extern const struct cli_command cmd_operation_commands[];
extern const struct cli_command cmd_placement_group_commands[];
extern const struct cli_command cmd_profile_commands[];
extern const struct cli_command cmd_project_commands[];
extern const struct cli_command cmd_publish_commands[];
extern const struct cli_command cmd_query_commands[];
extern const struct cli_command cmd_remote_commands[];
extern const struct cli_command cmd_snapshot_commands[];
extern const struct cli_command cmd_storage_commands[];
extern const struct cli_command cmd_storage_volume_commands[];
extern const struct cli_command cmd_version_commands[];
extern const struct cli_command cmd_warning_commands[];
