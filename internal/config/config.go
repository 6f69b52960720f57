// Package config reads the configuration files of nodes, gateways and
// clients, and the access list: TOML, strictly.
//
// An unknown key is an error, and so is a known one in another case. All errors
// of a file come at once, each with file and line. Load functions also read the
// keys, credentials and certificates that a file names: what is missing or
// damaged there stays so until somebody fixes it, so that a program must not
// start and wait. Parse functions judge the file alone, for commands that run
// before the others are there.
//
// Relative paths in a file are relative to the file's folder, and come out
// absolute. Values that are secret have the type
// keyprovider.Secret, which prints as "[secret]"; no error repeats a value that
// could be one.
package config

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/frostfleet/frostfleet/internal/natsconn"
	"github.com/frostfleet/frostfleet/internal/secret"
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

// Log is the section [log].
type Log struct {
	Level string `toml:"level"` // debug, info (default), warn, error
}

func (l *Log) check(s *source) {
	s.OneOf("log.level", l.Level, "debug", "info", "warn", "error")
}

// Bus is the section [bus]: how to reach NATS. Embedded, StorePath and Port
// are for gateways only.
type Bus struct {
	URL string `toml:"url"` // nats://127.0.0.1:4222 by default; several with commas, in order
	natsconn.Files
	Replicas  int    `toml:"replicas"`   // of the streams: 1 (default), 3 or 5
	Embedded  bool   `toml:"embedded"`   // a NATS server in the gateway's process
	StorePath string `toml:"store_path"` // its storage
	Port      int    `toml:"port"`       // its port on loopback; 4222 by default, -1: any
}

const defaultBusPort = 4222

// defaultServer and defaultBus are what a file need not say.
var (
	defaultServer = Server{Host: "127.0.0.1", Port: 4000}
	defaultLog    = Log{Level: "info"}
	defaultBus    = connected{Bus: Bus{URL: natsconn.DefaultURL, Replicas: 1}}
)

// document is one kind of file.
type document interface {
	check(*source) // judges the values
	files(*source) // reads the files that they name
}

// load reads a file into d, and the files that it names if read says so. All
// errors found on the way come together, as Errors.
func load[D document](path string, d D, read bool) (D, error) {
	var none D
	text, err := fileOf(path, d).Text()
	if err != nil {
		return none, atLineOne(err)
	}
	defer text.Wipe()
	return parse(path, text.Expose(), d, read)
}

// fileOf is a file that is to be d.
func fileOf(path string, d document) secret.File {
	what := "configuration file"
	if _, list := d.(*Access); list {
		what = "access list"
	}
	return secret.File{What: what, Path: path, Max: maxFile, Public: true}
}

// parse is load once the file's text was read.
func parse[D document](path string, text []byte, d D, read bool) (D, error) {
	var none D
	abs, err := filepath.Abs(path)
	if err != nil {
		return none, fmt.Errorf("configuration file: %w", err)
	}
	s := newSource(path, filepath.Dir(abs), text)
	if judge(s, d) && read {
		d.files(s)
	}
	if err := s.result(); err != nil {
		return none, err
	}
	return d, nil
}

// judge decodes d and checks its values. It reports false if they can't be judged.
func judge(s *source, d document) bool {
	if s.broken {
		return false
	}
	_, node := d.(*Node)
	s.decode(d, func(path string) (string, bool) { return path, !node || !isBackendKey(path) })
	d.check(s)
	s.entries = nil // the text that they are part of may have held a PIN
	return true
}

// atLineOne gives an error about the form of a file the shape of the others.
func atLineOne(err error) error {
	var file *secret.FileError
	if !errors.Is(err, secret.ErrText) || !errors.As(err, &file) {
		return err
	}
	return Errors{{File: file.Path, Line: 1, Message: file.Problem + ": " + file.Remedy}}
}
