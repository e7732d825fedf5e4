-- The tables of enphase-iq-gateway in MariaDB or MySQL,
-- generated from the migrations by enphase-database upgrade --sql

CREATE TABLE schema_version (
    version_num VARCHAR(32) NOT NULL, 
    CONSTRAINT schema_version_pkc PRIMARY KEY (version_num)
);

-- Running upgrade  -> 0001

CREATE TABLE IF NOT EXISTS gateways (
    id INTEGER NOT NULL COMMENT 'gateway_id in other tables' AUTO_INCREMENT, 
    serial_number VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'serial number of the gateway', 
    has_unmetered_batteries BOOL COMMENT 'whether it has batteries without a meter', 
    PRIMARY KEY (id), 
    UNIQUE (serial_number)
)ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE IF NOT EXISTS measurements (
    id INTEGER NOT NULL COMMENT 'measurement_id in other tables' AUTO_INCREMENT, 
    name VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'production, net-consumption, ...', 
    PRIMARY KEY (id), 
    UNIQUE (name)
)ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE IF NOT EXISTS readings (
    gateway_id INTEGER NOT NULL COMMENT 'gateways.id', 
    measured_at BIGINT NOT NULL COMMENT 'ms since 1970-01-01 00:00 UTC', 
    measurement_id SMALLINT NOT NULL COMMENT 'measurements.id', 
    phase SMALLINT NOT NULL COMMENT '0: whole meter, 1 to 3: L1 to L3', 
    active_power DOUBLE COMMENT 'W', 
    reactive_power FLOAT COMMENT 'var', 
    apparent_power FLOAT COMMENT 'VA', 
    voltage FLOAT COMMENT 'V', 
    current FLOAT COMMENT 'A', 
    power_factor FLOAT COMMENT '-1 to 1', 
    frequency FLOAT COMMENT 'Hz', 
    energy_delivered DOUBLE COMMENT 'Wh, counter of the positive direction', 
    energy_received DOUBLE COMMENT 'Wh, counter of the negative direction', 
    apparent_energy DOUBLE COMMENT 'VAh, counter', 
    reactive_energy_lagging DOUBLE COMMENT 'varh, counter', 
    reactive_energy_leading DOUBLE COMMENT 'varh, counter', 
    PRIMARY KEY (gateway_id, measured_at, measurement_id, phase)
)ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE IF NOT EXISTS minutes (
    gateway_id INTEGER NOT NULL COMMENT 'gateways.id', 
    measurement_id SMALLINT NOT NULL COMMENT 'measurements.id', 
    phase SMALLINT NOT NULL COMMENT '0: whole meter, 1 to 3: L1 to L3', 
    bucket_start BIGINT NOT NULL COMMENT 'start of the bucket, ms since 1970-01-01 00:00 UTC', 
    reading_count INTEGER NOT NULL COMMENT 'readings in the bucket', 
    first_measured_at BIGINT NOT NULL COMMENT 'first reading, ms since 1970-01-01 00:00 UTC', 
    last_measured_at BIGINT NOT NULL COMMENT 'last reading, ms since 1970-01-01 00:00 UTC', 
    power_reading_count INTEGER NOT NULL COMMENT 'readings with an active power', 
    power_mean DOUBLE COMMENT 'W, active power', 
    power_min DOUBLE COMMENT 'W, active power', 
    power_max DOUBLE COMMENT 'W, active power', 
    energy_delivered_estimated DOUBLE COMMENT 'Wh, from power where counters are unknown', 
    energy_received_estimated DOUBLE COMMENT 'Wh, from power where counters are unknown', 
    energy_delivered_first DOUBLE COMMENT 'Wh, counter at its first reading', 
    energy_delivered_last DOUBLE COMMENT 'Wh, counter at its last reading', 
    energy_received_first DOUBLE COMMENT 'Wh, counter at its first reading', 
    energy_received_last DOUBLE COMMENT 'Wh, counter at its last reading', 
    segments MEDIUMTEXT COMMENT 'JSON of counter segments [ms, Wh, ms, Wh], NULL where each counter has one', 
    PRIMARY KEY (gateway_id, measurement_id, phase, bucket_start)
)ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE IF NOT EXISTS quarter_hours (
    gateway_id INTEGER NOT NULL COMMENT 'gateways.id', 
    measurement_id SMALLINT NOT NULL COMMENT 'measurements.id', 
    phase SMALLINT NOT NULL COMMENT '0: whole meter, 1 to 3: L1 to L3', 
    bucket_start BIGINT NOT NULL COMMENT 'start of the bucket, ms since 1970-01-01 00:00 UTC', 
    reading_count INTEGER NOT NULL COMMENT 'readings in the bucket', 
    first_measured_at BIGINT NOT NULL COMMENT 'first reading, ms since 1970-01-01 00:00 UTC', 
    last_measured_at BIGINT NOT NULL COMMENT 'last reading, ms since 1970-01-01 00:00 UTC', 
    power_reading_count INTEGER NOT NULL COMMENT 'readings with an active power', 
    power_mean DOUBLE COMMENT 'W, active power', 
    power_min DOUBLE COMMENT 'W, active power', 
    power_max DOUBLE COMMENT 'W, active power', 
    energy_delivered_estimated DOUBLE COMMENT 'Wh, from power where counters are unknown', 
    energy_received_estimated DOUBLE COMMENT 'Wh, from power where counters are unknown', 
    energy_delivered_first DOUBLE COMMENT 'Wh, counter at its first reading', 
    energy_delivered_last DOUBLE COMMENT 'Wh, counter at its last reading', 
    energy_received_first DOUBLE COMMENT 'Wh, counter at its first reading', 
    energy_received_last DOUBLE COMMENT 'Wh, counter at its last reading', 
    segments MEDIUMTEXT COMMENT 'JSON of counter segments [ms, Wh, ms, Wh], NULL where each counter has one', 
    PRIMARY KEY (gateway_id, measurement_id, phase, bucket_start)
)ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE IF NOT EXISTS days (
    gateway_id INTEGER NOT NULL COMMENT 'gateways.id', 
    measurement_id SMALLINT NOT NULL COMMENT 'measurements.id', 
    phase SMALLINT NOT NULL COMMENT '0: whole meter, 1 to 3: L1 to L3', 
    bucket_start BIGINT NOT NULL COMMENT 'start of the bucket, ms since 1970-01-01 00:00 UTC', 
    reading_count INTEGER NOT NULL COMMENT 'readings in the bucket', 
    first_measured_at BIGINT NOT NULL COMMENT 'first reading, ms since 1970-01-01 00:00 UTC', 
    last_measured_at BIGINT NOT NULL COMMENT 'last reading, ms since 1970-01-01 00:00 UTC', 
    power_reading_count INTEGER NOT NULL COMMENT 'readings with an active power', 
    power_mean DOUBLE COMMENT 'W, active power', 
    power_min DOUBLE COMMENT 'W, active power', 
    power_max DOUBLE COMMENT 'W, active power', 
    energy_delivered_estimated DOUBLE COMMENT 'Wh, from power where counters are unknown', 
    energy_received_estimated DOUBLE COMMENT 'Wh, from power where counters are unknown', 
    energy_delivered_first DOUBLE COMMENT 'Wh, counter at its first reading', 
    energy_delivered_last DOUBLE COMMENT 'Wh, counter at its last reading', 
    energy_received_first DOUBLE COMMENT 'Wh, counter at its first reading', 
    energy_received_last DOUBLE COMMENT 'Wh, counter at its last reading', 
    segments MEDIUMTEXT COMMENT 'JSON of counter segments [ms, Wh, ms, Wh], NULL where each counter has one', 
    PRIMARY KEY (gateway_id, measurement_id, phase, bucket_start)
)ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE IF NOT EXISTS pending_rollups (
    resolution SMALLINT NOT NULL COMMENT '1: minute, 2: quarter-hour, 3: day', 
    bucket_start BIGINT NOT NULL COMMENT 'start of the bucket, ms since 1970-01-01 00:00 UTC', 
    gateway_id INTEGER NOT NULL COMMENT 'gateways.id', 
    PRIMARY KEY (resolution, bucket_start, gateway_id)
)ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE IF NOT EXISTS properties (
    name VARCHAR(64) NOT NULL COMMENT 'time_zone, readings_pruned_before, ...', 
    value VARCHAR(255) NOT NULL COMMENT 'its value', 
    PRIMARY KEY (name)
)ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

INSERT INTO schema_version (version_num) VALUES ('0001');

-- Running upgrade 0001 -> 0002

CREATE TABLE IF NOT EXISTS inverters (
    id INTEGER NOT NULL COMMENT 'inverter_id in other tables' AUTO_INCREMENT, 
    serial_number VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL COMMENT 'serial number of the microinverter', 
    PRIMARY KEY (id), 
    UNIQUE (serial_number)
)ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE IF NOT EXISTS inverter_readings (
    gateway_id INTEGER NOT NULL COMMENT 'gateways.id', 
    measured_at BIGINT NOT NULL COMMENT 'ms since 1970-01-01 00:00 UTC', 
    inverter_id INTEGER NOT NULL COMMENT 'inverters.id', 
    power DOUBLE COMMENT 'W, mean since the report before', 
    energy DOUBLE COMMENT 'Wh, counter that starts again at 2^32 J (1.19 MWh)', 
    PRIMARY KEY (gateway_id, measured_at, inverter_id)
)ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE IF NOT EXISTS inverter_days (
    gateway_id INTEGER NOT NULL COMMENT 'gateways.id', 
    bucket_start BIGINT NOT NULL COMMENT 'start of the bucket, ms since 1970-01-01 00:00 UTC', 
    inverter_id INTEGER NOT NULL COMMENT 'inverters.id', 
    reading_count INTEGER NOT NULL COMMENT 'readings in the bucket', 
    first_measured_at BIGINT NOT NULL COMMENT 'first reading, ms since 1970-01-01 00:00 UTC', 
    last_measured_at BIGINT NOT NULL COMMENT 'last reading, ms since 1970-01-01 00:00 UTC', 
    energy DOUBLE COMMENT 'Wh, produced from the first to the last reading', 
    power_max DOUBLE COMMENT 'W', 
    energy_first DOUBLE COMMENT 'Wh, counter at its first reading', 
    energy_last DOUBLE COMMENT 'Wh, counter at its last reading', 
    PRIMARY KEY (gateway_id, bucket_start, inverter_id)
)ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

UPDATE schema_version SET version_num='0002' WHERE schema_version.version_num = '0001';
