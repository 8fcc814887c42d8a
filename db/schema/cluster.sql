-- The schema of a new cluster: all updates together. Made by "db/embed.py fresh"; do not edit.

CREATE TABLE schema (
	version INTEGER NOT NULL PRIMARY KEY,
	updated INTEGER NOT NULL
) STRICT;

CREATE TABLE marks (origin TEXT NOT NULL PRIMARY KEY, mark INTEGER NOT NULL);

CREATE TABLE revisions (
	family TEXT NOT NULL PRIMARY KEY,
	value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE instance_changes (
	instance_id INTEGER NOT NULL PRIMARY KEY,
	revision INTEGER NOT NULL
) STRICT;

CREATE INDEX instance_changes_revision ON instance_changes (revision);

CREATE TABLE config (
	key TEXT NOT NULL PRIMARY KEY,
	value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE members (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	name TEXT NOT NULL UNIQUE,
	address TEXT NOT NULL UNIQUE,
	description TEXT NOT NULL DEFAULT '',
	architecture TEXT NOT NULL DEFAULT '',
	failure_domain TEXT NOT NULL DEFAULT 'default',
	state INTEGER NOT NULL DEFAULT 0,
	heartbeat INTEGER,
	schema_version INTEGER NOT NULL DEFAULT 0,
	api_extensions INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE members_config (
	member_id INTEGER NOT NULL REFERENCES members (id) ON DELETE CASCADE,
	key TEXT NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY (member_id, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE members_roles (
	member_id INTEGER NOT NULL REFERENCES members (id) ON DELETE CASCADE,
	role TEXT NOT NULL,
	PRIMARY KEY (member_id, role)
) STRICT, WITHOUT ROWID;

CREATE TABLE member_groups (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	name TEXT NOT NULL UNIQUE,
	description TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE TABLE member_groups_members (
	group_id INTEGER NOT NULL REFERENCES member_groups (id) ON DELETE CASCADE,
	member_id INTEGER NOT NULL REFERENCES members (id) ON DELETE CASCADE,
	PRIMARY KEY (group_id, member_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX member_groups_members_member ON member_groups_members (member_id);

CREATE TABLE projects (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	name TEXT NOT NULL UNIQUE,
	description TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE TABLE projects_config (
	project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
	key TEXT NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY (project_id, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE placement_groups (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
	name TEXT NOT NULL,
	description TEXT NOT NULL DEFAULT '',
	UNIQUE (project_id, name)
) STRICT;

CREATE TABLE placement_groups_config (
	group_id INTEGER NOT NULL REFERENCES placement_groups (id) ON DELETE CASCADE,
	key TEXT NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY (group_id, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE profiles (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
	name TEXT NOT NULL,
	description TEXT NOT NULL DEFAULT '',
	UNIQUE (project_id, name)
) STRICT;

CREATE TABLE profiles_config (
	profile_id INTEGER NOT NULL REFERENCES profiles (id) ON DELETE CASCADE,
	key TEXT NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY (profile_id, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE profiles_devices (
	profile_id INTEGER NOT NULL REFERENCES profiles (id) ON DELETE CASCADE,
	device TEXT NOT NULL,
	key TEXT NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY (profile_id, device, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE instances (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	project_id INTEGER NOT NULL REFERENCES projects (id),
	member_id INTEGER NOT NULL REFERENCES members (id),
	name TEXT NOT NULL,
	type INTEGER NOT NULL,
	architecture TEXT NOT NULL,
	description TEXT NOT NULL DEFAULT '',
	epoch INTEGER NOT NULL DEFAULT 0,
	created INTEGER,
	last_used INTEGER,
	ephemeral INTEGER NOT NULL DEFAULT 0,
	stateful INTEGER NOT NULL DEFAULT 0,
	UNIQUE (project_id, name)
) STRICT;

CREATE INDEX instances_member ON instances (member_id);

CREATE TABLE instances_config (
	instance_id INTEGER NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
	key TEXT NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY (instance_id, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE instances_devices (
	instance_id INTEGER NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
	device TEXT NOT NULL,
	key TEXT NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY (instance_id, device, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE instances_profiles (
	instance_id INTEGER NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
	ordinal INTEGER NOT NULL,
	profile_id INTEGER NOT NULL REFERENCES profiles (id),
	PRIMARY KEY (instance_id, ordinal),
	UNIQUE (instance_id, profile_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX instances_profiles_profile ON instances_profiles (profile_id);

CREATE TABLE instance_snapshots (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	instance_id INTEGER NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
	name TEXT NOT NULL,
	description TEXT NOT NULL DEFAULT '',
	architecture TEXT NOT NULL,
	created INTEGER,
	last_used INTEGER,
	expires INTEGER,
	ephemeral INTEGER NOT NULL DEFAULT 0,
	stateful INTEGER NOT NULL DEFAULT 0,
	UNIQUE (instance_id, name)
) STRICT;

CREATE TABLE instance_snapshots_config (
	snapshot_id INTEGER NOT NULL REFERENCES instance_snapshots (id) ON DELETE CASCADE,
	key TEXT NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY (snapshot_id, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE instance_snapshots_devices (
	snapshot_id INTEGER NOT NULL REFERENCES instance_snapshots (id) ON DELETE CASCADE,
	device TEXT NOT NULL,
	key TEXT NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY (snapshot_id, device, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE instance_snapshots_profiles (
	snapshot_id INTEGER NOT NULL REFERENCES instance_snapshots (id) ON DELETE CASCADE,
	ordinal INTEGER NOT NULL,
	profile TEXT NOT NULL,
	PRIMARY KEY (snapshot_id, ordinal)
) STRICT, WITHOUT ROWID;

CREATE TABLE images (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
	fingerprint TEXT NOT NULL,
	filename TEXT NOT NULL,
	architecture TEXT NOT NULL,
	type INTEGER NOT NULL,
	size INTEGER NOT NULL,
	public INTEGER NOT NULL DEFAULT 0,
	auto_update INTEGER NOT NULL DEFAULT 0,
	cached INTEGER NOT NULL DEFAULT 0,
	created INTEGER,
	expires INTEGER,
	uploaded INTEGER,
	last_used INTEGER,
	source_server TEXT NOT NULL DEFAULT '',
	source_protocol TEXT NOT NULL DEFAULT '',
	source_certificate TEXT NOT NULL DEFAULT '',
	source_alias TEXT NOT NULL DEFAULT '',
	source_type TEXT NOT NULL DEFAULT '',
	UNIQUE (project_id, fingerprint)
) STRICT;

CREATE INDEX images_fingerprint ON images (fingerprint);

CREATE TABLE images_properties (
	image_id INTEGER NOT NULL REFERENCES images (id) ON DELETE CASCADE,
	key TEXT NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY (image_id, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE images_profiles (
	image_id INTEGER NOT NULL REFERENCES images (id) ON DELETE CASCADE,
	profile_id INTEGER NOT NULL REFERENCES profiles (id) ON DELETE CASCADE,
	PRIMARY KEY (image_id, profile_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX images_profiles_profile ON images_profiles (profile_id);

CREATE TABLE images_members (
	fingerprint TEXT NOT NULL,
	member_id INTEGER NOT NULL REFERENCES members (id) ON DELETE CASCADE,
	PRIMARY KEY (fingerprint, member_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX images_members_member ON images_members (member_id);

CREATE TABLE image_aliases (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
	image_id INTEGER NOT NULL REFERENCES images (id) ON DELETE CASCADE,
	name TEXT NOT NULL,
	description TEXT NOT NULL DEFAULT '',
	UNIQUE (project_id, name)
) STRICT;

CREATE INDEX image_aliases_image ON image_aliases (image_id);

CREATE TABLE storage_pools (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	name TEXT NOT NULL UNIQUE,
	driver TEXT NOT NULL,
	description TEXT NOT NULL DEFAULT '',
	state INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE storage_pools_config (
	pool_id INTEGER NOT NULL REFERENCES storage_pools (id) ON DELETE CASCADE,
	key TEXT NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY (pool_id, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE storage_pools_members (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	pool_id INTEGER NOT NULL REFERENCES storage_pools (id) ON DELETE CASCADE,
	member_id INTEGER NOT NULL REFERENCES members (id) ON DELETE CASCADE,
	state INTEGER NOT NULL DEFAULT 0,
	UNIQUE (pool_id, member_id)
) STRICT;

CREATE INDEX storage_pools_members_member ON storage_pools_members (member_id);

CREATE TABLE storage_pools_members_config (
	pool_member_id INTEGER NOT NULL REFERENCES storage_pools_members (id) ON DELETE CASCADE,
	key TEXT NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY (pool_member_id, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE storage_volumes (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	pool_id INTEGER NOT NULL REFERENCES storage_pools (id),
	project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
	member_id INTEGER REFERENCES members (id),
	type INTEGER NOT NULL,
	content INTEGER NOT NULL DEFAULT 0,
	name TEXT NOT NULL,
	description TEXT NOT NULL DEFAULT '',
	created INTEGER
) STRICT;

CREATE UNIQUE INDEX storage_volumes_name
	ON storage_volumes (pool_id, project_id, type, name, COALESCE(member_id, 0));

CREATE INDEX storage_volumes_member ON storage_volumes (member_id);

CREATE TABLE storage_volumes_config (
	volume_id INTEGER NOT NULL REFERENCES storage_volumes (id) ON DELETE CASCADE,
	key TEXT NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY (volume_id, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE storage_snapshots (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	volume_id INTEGER NOT NULL REFERENCES storage_volumes (id) ON DELETE CASCADE,
	name TEXT NOT NULL,
	description TEXT NOT NULL DEFAULT '',
	created INTEGER,
	expires INTEGER,
	UNIQUE (volume_id, name)
) STRICT;

CREATE TABLE storage_snapshots_config (
	snapshot_id INTEGER NOT NULL REFERENCES storage_snapshots (id) ON DELETE CASCADE,
	key TEXT NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY (snapshot_id, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE operations (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	uuid TEXT NOT NULL UNIQUE,
	member_id INTEGER NOT NULL REFERENCES members (id) ON DELETE CASCADE,
	project_id INTEGER REFERENCES projects (id) ON DELETE CASCADE,
	class TEXT NOT NULL,
	description TEXT NOT NULL,
	status INTEGER NOT NULL,
	created INTEGER NOT NULL,
	updated INTEGER NOT NULL,
	may_cancel INTEGER NOT NULL DEFAULT 0,
	resources TEXT NOT NULL DEFAULT '{}',
	metadata TEXT NOT NULL DEFAULT '{}',
	requestor TEXT NOT NULL DEFAULT '',
	error TEXT NOT NULL DEFAULT '',
	error_code INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX operations_member ON operations (member_id);

CREATE INDEX operations_project ON operations (project_id);

CREATE TABLE warnings (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	uuid TEXT NOT NULL UNIQUE,
	member_id INTEGER REFERENCES members (id) ON DELETE CASCADE,
	project_id INTEGER REFERENCES projects (id) ON DELETE CASCADE,
	entity_url TEXT NOT NULL DEFAULT '',
	type TEXT NOT NULL,
	severity INTEGER NOT NULL,
	status INTEGER NOT NULL,
	count INTEGER NOT NULL DEFAULT 1,
	first_seen INTEGER NOT NULL,
	last_seen INTEGER NOT NULL,
	updated INTEGER NOT NULL,
	message TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE UNIQUE INDEX warnings_subject
	ON warnings (COALESCE(member_id, 0), COALESCE(project_id, 0), type, entity_url);

CREATE TABLE certificates (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	fingerprint TEXT NOT NULL UNIQUE,
	type INTEGER NOT NULL,
	name TEXT NOT NULL,
	description TEXT NOT NULL DEFAULT '',
	certificate TEXT NOT NULL,
	restricted INTEGER NOT NULL DEFAULT 0,
	created INTEGER
) STRICT;

CREATE TABLE certificates_projects (
	certificate_id INTEGER NOT NULL REFERENCES certificates (id) ON DELETE CASCADE,
	project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
	PRIMARY KEY (certificate_id, project_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX certificates_projects_project ON certificates_projects (project_id);

CREATE TABLE tokens (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	uuid TEXT NOT NULL UNIQUE,
	kind INTEGER NOT NULL,
	name TEXT NOT NULL,
	project TEXT NOT NULL DEFAULT '',
	secret TEXT NOT NULL UNIQUE,
	created INTEGER NOT NULL,
	expires INTEGER,
	data TEXT NOT NULL DEFAULT '{}'
) STRICT;

CREATE TABLE plans (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	uuid TEXT NOT NULL UNIQUE,
	kind TEXT NOT NULL,
	member TEXT NOT NULL DEFAULT '',
	requestor TEXT NOT NULL DEFAULT '',
	options TEXT NOT NULL DEFAULT '{}',
	state INTEGER NOT NULL,
	operation TEXT NOT NULL DEFAULT '',
	term INTEGER NOT NULL DEFAULT 0,
	error TEXT NOT NULL DEFAULT '',
	created INTEGER NOT NULL,
	updated INTEGER NOT NULL
) STRICT;

CREATE TABLE plan_steps (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	plan_id INTEGER NOT NULL REFERENCES plans (id) ON DELETE CASCADE,
	ordinal INTEGER NOT NULL,
	instance_id INTEGER REFERENCES instances (id) ON DELETE SET NULL,
	project TEXT NOT NULL,
	instance TEXT NOT NULL,
	source TEXT NOT NULL,
	target TEXT NOT NULL,
	mode TEXT NOT NULL,
	phase INTEGER NOT NULL,
	attempt INTEGER NOT NULL DEFAULT 0,
	epoch INTEGER NOT NULL DEFAULT 0,
	was_running INTEGER NOT NULL DEFAULT 0,
	bytes_total INTEGER NOT NULL DEFAULT 0,
	bytes_done INTEGER NOT NULL DEFAULT 0,
	error TEXT NOT NULL DEFAULT '',
	detail TEXT NOT NULL DEFAULT '{}',
	started INTEGER,
	updated INTEGER NOT NULL,
	UNIQUE (plan_id, ordinal)
) STRICT;

CREATE INDEX plan_steps_instance ON plan_steps (instance_id);

CREATE TABLE reservations (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	member_id INTEGER NOT NULL REFERENCES members (id) ON DELETE CASCADE,
	project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
	instance TEXT NOT NULL,
	pool TEXT NOT NULL DEFAULT '',
	owner TEXT NOT NULL,
	memory INTEGER NOT NULL DEFAULT 0,
	cpus INTEGER NOT NULL DEFAULT 0,
	disk INTEGER NOT NULL DEFAULT 0,
	placement_group TEXT NOT NULL DEFAULT '',
	created INTEGER NOT NULL,
	expires INTEGER NOT NULL,
	UNIQUE (project_id, instance)
) STRICT;

CREATE INDEX reservations_member ON reservations (member_id);

CREATE INDEX reservations_owner ON reservations (owner);

INSERT INTO revisions (family, value) VALUES ('certificates', 1);

INSERT INTO revisions (family, value) VALUES ('config', 1);

INSERT INTO revisions (family, value) VALUES ('images', 1);

INSERT INTO revisions (family, value) VALUES ('instances', 1);

INSERT INTO revisions (family, value) VALUES ('instances_full', 1);

INSERT INTO revisions (family, value) VALUES ('members', 4);

INSERT INTO revisions (family, value) VALUES ('placement_groups', 1);

INSERT INTO revisions (family, value) VALUES ('pools', 1);

INSERT INTO revisions (family, value) VALUES ('profiles', 2);

INSERT INTO revisions (family, value) VALUES ('projects', 8);

INSERT INTO revisions (family, value) VALUES ('snapshots', 1);

INSERT INTO revisions (family, value) VALUES ('volumes', 1);

INSERT INTO revisions (family, value) VALUES ('warnings', 1);

INSERT INTO members (id, name, address, description, architecture, failure_domain, state, heartbeat, schema_version, api_extensions) VALUES (1, 'none', '', '', '', 'default', 0, NULL, 0, 0);

INSERT INTO member_groups (id, name, description) VALUES (1, 'default', 'Default cluster group');

INSERT INTO member_groups_members (group_id, member_id) VALUES (1, 1);

INSERT INTO projects (id, name, description) VALUES (1, 'default', 'Default LXD project');

INSERT INTO projects_config (project_id, key, value) VALUES (1, 'features.images', 'true');

INSERT INTO projects_config (project_id, key, value) VALUES (1, 'features.networks', 'true');

INSERT INTO projects_config (project_id, key, value) VALUES (1, 'features.networks.zones', 'true');

INSERT INTO projects_config (project_id, key, value) VALUES (1, 'features.profiles', 'true');

INSERT INTO projects_config (project_id, key, value) VALUES (1, 'features.storage.buckets', 'true');

INSERT INTO projects_config (project_id, key, value) VALUES (1, 'features.storage.volumes', 'true');

INSERT INTO profiles (id, project_id, name, description) VALUES (1, 1, 'default', 'Default LXD profile');

CREATE TRIGGER config_insert AFTER INSERT ON config BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'config';
END;

CREATE TRIGGER config_update AFTER UPDATE ON config BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'config';
END;

CREATE TRIGGER config_delete AFTER DELETE ON config BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'config';
END;

CREATE TRIGGER members_insert AFTER INSERT ON members BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'members';
END;

CREATE TRIGGER members_update AFTER UPDATE OF name, address, description, architecture, failure_domain, state, schema_version,
	api_extensions ON members BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'members';
END;

CREATE TRIGGER members_delete AFTER DELETE ON members BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'members';
END;

CREATE TRIGGER members_config_insert AFTER INSERT ON members_config BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'members';
END;

CREATE TRIGGER members_config_update AFTER UPDATE ON members_config BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'members';
END;

CREATE TRIGGER members_config_delete AFTER DELETE ON members_config BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'members';
END;

CREATE TRIGGER members_roles_insert AFTER INSERT ON members_roles BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'members';
END;

CREATE TRIGGER members_roles_update AFTER UPDATE ON members_roles BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'members';
END;

CREATE TRIGGER members_roles_delete AFTER DELETE ON members_roles BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'members';
END;

CREATE TRIGGER member_groups_insert AFTER INSERT ON member_groups BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'members';
END;

CREATE TRIGGER member_groups_update AFTER UPDATE ON member_groups BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'members';
END;

CREATE TRIGGER member_groups_delete AFTER DELETE ON member_groups BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'members';
END;

CREATE TRIGGER member_groups_members_insert AFTER INSERT ON member_groups_members BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'members';
END;

CREATE TRIGGER member_groups_members_update AFTER UPDATE ON member_groups_members BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'members';
END;

CREATE TRIGGER member_groups_members_delete AFTER DELETE ON member_groups_members BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'members';
END;

CREATE TRIGGER projects_insert AFTER INSERT ON projects BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'projects';
END;

CREATE TRIGGER projects_update AFTER UPDATE ON projects BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'projects';
END;

CREATE TRIGGER projects_delete AFTER DELETE ON projects BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'projects';
END;

CREATE TRIGGER projects_config_insert AFTER INSERT ON projects_config BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'projects';
END;

CREATE TRIGGER projects_config_update AFTER UPDATE ON projects_config BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'projects';
END;

CREATE TRIGGER projects_config_delete AFTER DELETE ON projects_config BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'projects';
END;

CREATE TRIGGER profiles_insert AFTER INSERT ON profiles BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'profiles';
END;

CREATE TRIGGER profiles_update AFTER UPDATE ON profiles BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'profiles';
END;

CREATE TRIGGER profiles_delete AFTER DELETE ON profiles BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'profiles';
END;

CREATE TRIGGER profiles_config_insert AFTER INSERT ON profiles_config BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'profiles';
END;

CREATE TRIGGER profiles_config_update AFTER UPDATE ON profiles_config BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'profiles';
END;

CREATE TRIGGER profiles_config_delete AFTER DELETE ON profiles_config BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'profiles';
END;

CREATE TRIGGER profiles_devices_insert AFTER INSERT ON profiles_devices BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'profiles';
END;

CREATE TRIGGER profiles_devices_update AFTER UPDATE ON profiles_devices BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'profiles';
END;

CREATE TRIGGER profiles_devices_delete AFTER DELETE ON profiles_devices BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'profiles';
END;

CREATE TRIGGER instance_snapshots_insert AFTER INSERT ON instance_snapshots BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'snapshots';
END;

CREATE TRIGGER instance_snapshots_update AFTER UPDATE ON instance_snapshots BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'snapshots';
END;

CREATE TRIGGER instance_snapshots_delete AFTER DELETE ON instance_snapshots BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'snapshots';
END;

CREATE TRIGGER instance_snapshots_config_insert AFTER INSERT ON instance_snapshots_config BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'snapshots';
END;

CREATE TRIGGER instance_snapshots_config_update AFTER UPDATE ON instance_snapshots_config BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'snapshots';
END;

CREATE TRIGGER instance_snapshots_config_delete AFTER DELETE ON instance_snapshots_config BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'snapshots';
END;

CREATE TRIGGER instance_snapshots_devices_insert AFTER INSERT ON instance_snapshots_devices BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'snapshots';
END;

CREATE TRIGGER instance_snapshots_devices_update AFTER UPDATE ON instance_snapshots_devices BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'snapshots';
END;

CREATE TRIGGER instance_snapshots_devices_delete AFTER DELETE ON instance_snapshots_devices BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'snapshots';
END;

CREATE TRIGGER instance_snapshots_profiles_insert AFTER INSERT ON instance_snapshots_profiles BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'snapshots';
END;

CREATE TRIGGER instance_snapshots_profiles_update AFTER UPDATE ON instance_snapshots_profiles BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'snapshots';
END;

CREATE TRIGGER instance_snapshots_profiles_delete AFTER DELETE ON instance_snapshots_profiles BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'snapshots';
END;

CREATE TRIGGER images_insert AFTER INSERT ON images BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'images';
END;

CREATE TRIGGER images_update AFTER UPDATE ON images BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'images';
END;

CREATE TRIGGER images_delete AFTER DELETE ON images BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'images';
END;

CREATE TRIGGER images_properties_insert AFTER INSERT ON images_properties BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'images';
END;

CREATE TRIGGER images_properties_update AFTER UPDATE ON images_properties BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'images';
END;

CREATE TRIGGER images_properties_delete AFTER DELETE ON images_properties BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'images';
END;

CREATE TRIGGER images_profiles_insert AFTER INSERT ON images_profiles BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'images';
END;

CREATE TRIGGER images_profiles_update AFTER UPDATE ON images_profiles BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'images';
END;

CREATE TRIGGER images_profiles_delete AFTER DELETE ON images_profiles BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'images';
END;

CREATE TRIGGER images_members_insert AFTER INSERT ON images_members BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'images';
END;

CREATE TRIGGER images_members_update AFTER UPDATE ON images_members BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'images';
END;

CREATE TRIGGER images_members_delete AFTER DELETE ON images_members BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'images';
END;

CREATE TRIGGER image_aliases_insert AFTER INSERT ON image_aliases BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'images';
END;

CREATE TRIGGER image_aliases_update AFTER UPDATE ON image_aliases BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'images';
END;

CREATE TRIGGER image_aliases_delete AFTER DELETE ON image_aliases BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'images';
END;

CREATE TRIGGER storage_pools_insert AFTER INSERT ON storage_pools BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'pools';
END;

CREATE TRIGGER storage_pools_update AFTER UPDATE ON storage_pools BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'pools';
END;

CREATE TRIGGER storage_pools_delete AFTER DELETE ON storage_pools BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'pools';
END;

CREATE TRIGGER storage_pools_config_insert AFTER INSERT ON storage_pools_config BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'pools';
END;

CREATE TRIGGER storage_pools_config_update AFTER UPDATE ON storage_pools_config BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'pools';
END;

CREATE TRIGGER storage_pools_config_delete AFTER DELETE ON storage_pools_config BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'pools';
END;

CREATE TRIGGER storage_pools_members_insert AFTER INSERT ON storage_pools_members BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'pools';
END;

CREATE TRIGGER storage_pools_members_update AFTER UPDATE ON storage_pools_members BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'pools';
END;

CREATE TRIGGER storage_pools_members_delete AFTER DELETE ON storage_pools_members BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'pools';
END;

CREATE TRIGGER storage_pools_members_config_insert AFTER INSERT ON storage_pools_members_config BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'pools';
END;

CREATE TRIGGER storage_pools_members_config_update AFTER UPDATE ON storage_pools_members_config BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'pools';
END;

CREATE TRIGGER storage_pools_members_config_delete AFTER DELETE ON storage_pools_members_config BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'pools';
END;

CREATE TRIGGER storage_volumes_insert AFTER INSERT ON storage_volumes BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'volumes';
END;

CREATE TRIGGER storage_volumes_update AFTER UPDATE ON storage_volumes BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'volumes';
END;

CREATE TRIGGER storage_volumes_delete AFTER DELETE ON storage_volumes BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'volumes';
END;

CREATE TRIGGER storage_volumes_config_insert AFTER INSERT ON storage_volumes_config BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'volumes';
END;

CREATE TRIGGER storage_volumes_config_update AFTER UPDATE ON storage_volumes_config BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'volumes';
END;

CREATE TRIGGER storage_volumes_config_delete AFTER DELETE ON storage_volumes_config BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'volumes';
END;

CREATE TRIGGER storage_snapshots_insert AFTER INSERT ON storage_snapshots BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'volumes';
END;

CREATE TRIGGER storage_snapshots_update AFTER UPDATE ON storage_snapshots BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'volumes';
END;

CREATE TRIGGER storage_snapshots_delete AFTER DELETE ON storage_snapshots BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'volumes';
END;

CREATE TRIGGER storage_snapshots_config_insert AFTER INSERT ON storage_snapshots_config BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'volumes';
END;

CREATE TRIGGER storage_snapshots_config_update AFTER UPDATE ON storage_snapshots_config BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'volumes';
END;

CREATE TRIGGER storage_snapshots_config_delete AFTER DELETE ON storage_snapshots_config BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'volumes';
END;

CREATE TRIGGER placement_groups_insert AFTER INSERT ON placement_groups BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'placement_groups';
END;

CREATE TRIGGER placement_groups_update AFTER UPDATE ON placement_groups BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'placement_groups';
END;

CREATE TRIGGER placement_groups_delete AFTER DELETE ON placement_groups BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'placement_groups';
END;

CREATE TRIGGER placement_groups_config_insert AFTER INSERT ON placement_groups_config BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'placement_groups';
END;

CREATE TRIGGER placement_groups_config_update AFTER UPDATE ON placement_groups_config BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'placement_groups';
END;

CREATE TRIGGER placement_groups_config_delete AFTER DELETE ON placement_groups_config BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'placement_groups';
END;

CREATE TRIGGER certificates_insert AFTER INSERT ON certificates BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'certificates';
END;

CREATE TRIGGER certificates_update AFTER UPDATE ON certificates BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'certificates';
END;

CREATE TRIGGER certificates_delete AFTER DELETE ON certificates BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'certificates';
END;

CREATE TRIGGER certificates_projects_insert AFTER INSERT ON certificates_projects BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'certificates';
END;

CREATE TRIGGER certificates_projects_update AFTER UPDATE ON certificates_projects BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'certificates';
END;

CREATE TRIGGER certificates_projects_delete AFTER DELETE ON certificates_projects BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'certificates';
END;

CREATE TRIGGER warnings_insert AFTER INSERT ON warnings BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'warnings';
END;

CREATE TRIGGER warnings_update AFTER UPDATE ON warnings BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'warnings';
END;

CREATE TRIGGER warnings_delete AFTER DELETE ON warnings BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'warnings';
END;

CREATE TRIGGER instances_insert AFTER INSERT ON instances BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'instances';
	INSERT INTO instance_changes (instance_id, revision)
		SELECT NEW.id, value FROM revisions WHERE family = 'instances'
		ON CONFLICT (instance_id) DO UPDATE SET revision = excluded.revision;
END;

CREATE TRIGGER instances_update AFTER UPDATE ON instances BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'instances';
	INSERT INTO instance_changes (instance_id, revision)
		SELECT NEW.id, value FROM revisions WHERE family = 'instances'
		ON CONFLICT (instance_id) DO UPDATE SET revision = excluded.revision;
END;

CREATE TRIGGER instances_delete AFTER DELETE ON instances BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'instances';
	INSERT INTO instance_changes (instance_id, revision)
		SELECT OLD.id, value FROM revisions WHERE family = 'instances'
		ON CONFLICT (instance_id) DO UPDATE SET revision = excluded.revision;
	DELETE FROM instance_changes WHERE revision <
		(SELECT value - 10000 FROM revisions WHERE family = 'instances');
END;

CREATE TRIGGER instances_config_insert AFTER INSERT ON instances_config BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'instances';
	INSERT INTO instance_changes (instance_id, revision)
		SELECT NEW.instance_id, value FROM revisions WHERE family = 'instances'
		ON CONFLICT (instance_id) DO UPDATE SET revision = excluded.revision;
END;

CREATE TRIGGER instances_config_update AFTER UPDATE ON instances_config BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'instances';
	INSERT INTO instance_changes (instance_id, revision)
		SELECT NEW.instance_id, value FROM revisions WHERE family = 'instances'
		ON CONFLICT (instance_id) DO UPDATE SET revision = excluded.revision;
END;

CREATE TRIGGER instances_config_delete AFTER DELETE ON instances_config BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'instances';
	INSERT INTO instance_changes (instance_id, revision)
		SELECT OLD.instance_id, value FROM revisions WHERE family = 'instances'
		ON CONFLICT (instance_id) DO UPDATE SET revision = excluded.revision;
END;

CREATE TRIGGER instances_devices_insert AFTER INSERT ON instances_devices BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'instances';
	INSERT INTO instance_changes (instance_id, revision)
		SELECT NEW.instance_id, value FROM revisions WHERE family = 'instances'
		ON CONFLICT (instance_id) DO UPDATE SET revision = excluded.revision;
END;

CREATE TRIGGER instances_devices_update AFTER UPDATE ON instances_devices BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'instances';
	INSERT INTO instance_changes (instance_id, revision)
		SELECT NEW.instance_id, value FROM revisions WHERE family = 'instances'
		ON CONFLICT (instance_id) DO UPDATE SET revision = excluded.revision;
END;

CREATE TRIGGER instances_devices_delete AFTER DELETE ON instances_devices BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'instances';
	INSERT INTO instance_changes (instance_id, revision)
		SELECT OLD.instance_id, value FROM revisions WHERE family = 'instances'
		ON CONFLICT (instance_id) DO UPDATE SET revision = excluded.revision;
END;

CREATE TRIGGER instances_profiles_insert AFTER INSERT ON instances_profiles BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'instances';
	INSERT INTO instance_changes (instance_id, revision)
		SELECT NEW.instance_id, value FROM revisions WHERE family = 'instances'
		ON CONFLICT (instance_id) DO UPDATE SET revision = excluded.revision;
END;

CREATE TRIGGER instances_profiles_update AFTER UPDATE ON instances_profiles BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'instances';
	INSERT INTO instance_changes (instance_id, revision)
		SELECT NEW.instance_id, value FROM revisions WHERE family = 'instances'
		ON CONFLICT (instance_id) DO UPDATE SET revision = excluded.revision;
END;

CREATE TRIGGER instances_profiles_delete AFTER DELETE ON instances_profiles BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'instances';
	INSERT INTO instance_changes (instance_id, revision)
		SELECT OLD.instance_id, value FROM revisions WHERE family = 'instances'
		ON CONFLICT (instance_id) DO UPDATE SET revision = excluded.revision;
END;

CREATE TRIGGER members_rename AFTER UPDATE OF name ON members BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'instances_full';
	UPDATE revisions SET value = value + 1 WHERE family = 'images';
	UPDATE revisions SET value = value + 1 WHERE family = 'pools';
	UPDATE revisions SET value = value + 1 WHERE family = 'volumes';
	UPDATE revisions SET value = value + 1 WHERE family = 'warnings';
END;

CREATE TRIGGER projects_rename AFTER UPDATE OF name ON projects BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'instances_full';
	UPDATE revisions SET value = value + 1 WHERE family = 'profiles';
	UPDATE revisions SET value = value + 1 WHERE family = 'snapshots';
	UPDATE revisions SET value = value + 1 WHERE family = 'images';
	UPDATE revisions SET value = value + 1 WHERE family = 'volumes';
	UPDATE revisions SET value = value + 1 WHERE family = 'placement_groups';
	UPDATE revisions SET value = value + 1 WHERE family = 'certificates';
	UPDATE revisions SET value = value + 1 WHERE family = 'warnings';
END;

CREATE TRIGGER profiles_rename AFTER UPDATE OF name ON profiles BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'instances_full';
	UPDATE revisions SET value = value + 1 WHERE family = 'images';
END;

CREATE TRIGGER instances_rename AFTER UPDATE OF name, project_id ON instances BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'snapshots';
END;

CREATE TRIGGER storage_pools_rename AFTER UPDATE OF name ON storage_pools BEGIN
	UPDATE revisions SET value = value + 1 WHERE family = 'volumes';
END;

CREATE TRIGGER images_forget AFTER DELETE ON images
	WHEN NOT EXISTS (SELECT 1 FROM images WHERE fingerprint = OLD.fingerprint)
BEGIN
	DELETE FROM images_members WHERE fingerprint = OLD.fingerprint;
END;
