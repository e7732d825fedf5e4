-- The tables of enphase-iq-gateway in MariaDB or MySQL, made from the migrations by
-- enphase-database upgrade --sql

CREATE TABLE schema_version (
    version_num VARCHAR(32) NOT NULL, 
    CONSTRAINT schema_version_pkc PRIMARY KEY (version_num)
);

-- Running upgrade  -> 0001

CREATE TABLE IF NOT EXISTS gateways (
    id INTEGER NOT NULL AUTO_INCREMENT, 
    serial_number VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, 
    PRIMARY KEY (id), 
    UNIQUE (serial_number)
)ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE IF NOT EXISTS measurements (
    id INTEGER NOT NULL AUTO_INCREMENT, 
    word VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, 
    PRIMARY KEY (id), 
    UNIQUE (word)
)ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE IF NOT EXISTS readings (
    gateway INTEGER NOT NULL, 
    time BIGINT NOT NULL, 
    measurement SMALLINT NOT NULL, 
    phase SMALLINT NOT NULL, 
    active_power FLOAT, 
    reactive_power FLOAT, 
    apparent_power FLOAT, 
    voltage FLOAT, 
    current FLOAT, 
    power_factor FLOAT, 
    frequency FLOAT, 
    energy_delivered DOUBLE, 
    energy_received DOUBLE, 
    apparent_energy DOUBLE, 
    reactive_energy_lagging DOUBLE, 
    reactive_energy_leading DOUBLE, 
    PRIMARY KEY (gateway, time, measurement, phase)
)ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE IF NOT EXISTS minutes (
    gateway INTEGER NOT NULL, 
    measurement SMALLINT NOT NULL, 
    phase SMALLINT NOT NULL, 
    bucket BIGINT NOT NULL, 
    readings INTEGER NOT NULL, 
    first_time BIGINT NOT NULL, 
    last_time BIGINT NOT NULL, 
    power_mean FLOAT, 
    power_min FLOAT, 
    power_max FLOAT, 
    delivered_first DOUBLE, 
    delivered_last DOUBLE, 
    received_first DOUBLE, 
    received_last DOUBLE, 
    runs MEDIUMTEXT, 
    PRIMARY KEY (gateway, measurement, phase, bucket)
)ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE IF NOT EXISTS quarters (
    gateway INTEGER NOT NULL, 
    measurement SMALLINT NOT NULL, 
    phase SMALLINT NOT NULL, 
    bucket BIGINT NOT NULL, 
    readings INTEGER NOT NULL, 
    first_time BIGINT NOT NULL, 
    last_time BIGINT NOT NULL, 
    power_mean FLOAT, 
    power_min FLOAT, 
    power_max FLOAT, 
    delivered_first DOUBLE, 
    delivered_last DOUBLE, 
    received_first DOUBLE, 
    received_last DOUBLE, 
    runs MEDIUMTEXT, 
    PRIMARY KEY (gateway, measurement, phase, bucket)
)ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE IF NOT EXISTS days (
    gateway INTEGER NOT NULL, 
    measurement SMALLINT NOT NULL, 
    phase SMALLINT NOT NULL, 
    bucket BIGINT NOT NULL, 
    readings INTEGER NOT NULL, 
    first_time BIGINT NOT NULL, 
    last_time BIGINT NOT NULL, 
    power_mean FLOAT, 
    power_min FLOAT, 
    power_max FLOAT, 
    delivered_first DOUBLE, 
    delivered_last DOUBLE, 
    received_first DOUBLE, 
    received_last DOUBLE, 
    runs MEDIUMTEXT, 
    PRIMARY KEY (gateway, measurement, phase, bucket)
)ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE IF NOT EXISTS pending (
    level SMALLINT NOT NULL, 
    bucket BIGINT NOT NULL, 
    gateway INTEGER NOT NULL, 
    PRIMARY KEY (level, bucket, gateway)
)ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE IF NOT EXISTS properties (
    name VARCHAR(64) NOT NULL, 
    value VARCHAR(255) NOT NULL, 
    PRIMARY KEY (name)
)ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

INSERT INTO schema_version (version_num) VALUES ('0001');

-- Running upgrade 0001 -> 0002

ALTER TABLE gateways ADD COLUMN unmetered_batteries BOOL;

UPDATE schema_version SET version_num='0002' WHERE schema_version.version_num = '0001';

-- Running upgrade 0002 -> 0003

ALTER TABLE minutes ADD COLUMN power_readings INTEGER NOT NULL DEFAULT '0';

ALTER TABLE minutes ADD COLUMN estimated_delivered DOUBLE;

ALTER TABLE minutes ADD COLUMN estimated_received DOUBLE;

UPDATE minutes SET power_readings = readings WHERE power_mean IS NOT NULL;

ALTER TABLE quarters ADD COLUMN power_readings INTEGER NOT NULL DEFAULT '0';

ALTER TABLE quarters ADD COLUMN estimated_delivered DOUBLE;

ALTER TABLE quarters ADD COLUMN estimated_received DOUBLE;

UPDATE quarters SET power_readings = readings WHERE power_mean IS NOT NULL;

ALTER TABLE days ADD COLUMN power_readings INTEGER NOT NULL DEFAULT '0';

ALTER TABLE days ADD COLUMN estimated_delivered DOUBLE;

ALTER TABLE days ADD COLUMN estimated_received DOUBLE;

UPDATE days SET power_readings = readings WHERE power_mean IS NOT NULL;

ALTER TABLE readings MODIFY active_power DOUBLE;

ALTER TABLE minutes MODIFY power_mean DOUBLE, MODIFY power_min DOUBLE, MODIFY power_max DOUBLE;

ALTER TABLE quarters MODIFY power_mean DOUBLE, MODIFY power_min DOUBLE, MODIFY power_max DOUBLE;

ALTER TABLE days MODIFY power_mean DOUBLE, MODIFY power_min DOUBLE, MODIFY power_max DOUBLE;

UPDATE schema_version SET version_num='0003' WHERE schema_version.version_num = '0002';
