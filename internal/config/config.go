// Package config reads the configuration files of nodes, gateways and
// clients, and the access list: TOML, strictly.
//
// An unknown key is an error, and all errors of a file come at once, each with
// file and line. Relative paths in a file are relative to the file's folder,
// and come out absolute. Values that are secret have the type
// keyprovider.Secret, which prints as "[secret]"; no error repeats a value that
// could be one.
package config

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
)

const maxFile = 1 << 20 // bytes

// Networks that a fleet can be for.
var networks = []string{"mainnet", "testnet", "signet", "regtest"}

// Network is the section [network].
type Network struct {
	Type string `toml:"type"` // mainnet, testnet, signet, regtest
}

// Server is the section [server]: the HTTP server for health and metrics.
type Server struct {
	Role string `toml:"role"` // node or gateway
	Host string `toml:"host"` // address to listen at; 127.0.0.1 by default
	Port int    `toml:"port"` // 4000 by default; 0: no server
}

// Bus is the section [bus]: how to reach NATS. Embedded, StorePath and Port
// are for gateways only.
type Bus struct {
	URL         string `toml:"url"`         // nats://127.0.0.1:4222 by default; several with commas
	Credentials string `toml:"credentials"` // path of a .creds file
	TLSCA       string `toml:"tls_ca"`      // path, PEM
	TLSCert     string `toml:"tls_cert"`    // path, PEM
	TLSKey      string `toml:"tls_key"`     // path, PEM
	Replicas    int    `toml:"replicas"`    // of the streams: 1 (default), 3 or 5
	Embedded    bool   `toml:"embedded"`    // a NATS server in the gateway's process
	StorePath   string `toml:"store_path"`  // its storage
	Port        int    `toml:"port"`        // its port on loopback; 4222 by default, -1: any
}

const (
	defaultHost    = "127.0.0.1"
	defaultPort    = 4000
	defaultBusURL  = "nats://127.0.0.1:4222"
	defaultBusPort = 4222
)

// load reads a file into what into points to and lets check judge it. All
// errors found on the way come together, as Errors.
func load(path string, into any, check func(*source)) error {
	data, err := readFile(path)
	if err != nil {
		return err
	}
	defer clear(data)
	abs, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("configuration file: %w", err)
	}
	s := newSource(path, filepath.Dir(abs), data)
	if s.decode(data, into) {
		check(s)
	}
	return s.result()
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("configuration file: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("configuration file: %w", err)
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("configuration file %s is larger than %d bytes", path, maxFile)
	}
	return data, nil
}
