package tracing

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
)

// prefix begins the variables of the exporter. Each of them may have TRACES_
// after it, and then goes before the one without.
const prefix = "OTEL_EXPORTER_OTLP_"

// exporterEnv reads one of them and tells its whole name.
func exporterEnv(name string) (value, whole string) {
	if value := env(prefix + "TRACES_" + name); value != "" {
		return value, prefix + "TRACES_" + name
	}
	return env(prefix + name), prefix + name
}

// exporterChecks are what the exporter's variables must look like. It would log
// what it can't read and go on without, and with it a token in a header.
var exporterChecks = []struct {
	name, want string
	ok         func(value string) bool
}{
	{"ENDPOINT", "a URL such as http://localhost:4318, without user or query: those go into HEADERS", isCollector},
	{"PROTOCOL", "http/protobuf, which collectors take on port 4318", oneOf("http/protobuf")},
	{"COMPRESSION", "gzip or none", oneOf("gzip", "none")},
	{"TIMEOUT", "milliseconds", func(v string) bool { ms, err := strconv.Atoi(v); return err == nil && ms > 0 }},
	{"HEADERS", "name=value,name=value with %-escapes in the values", areHeaders},
	{"CERTIFICATE", "a file that can be read", isFile},
	{"CLIENT_CERTIFICATE", "a file that can be read", isFile},
	{"CLIENT_KEY", "a file that can be read", isFile},
}

// checkExporter names what can't be meant. It shows no value: URLs and headers
// may hold passwords.
func checkExporter() error {
	var errs []error
	for _, check := range exporterChecks {
		if value, whole := exporterEnv(check.name); value != "" && !check.ok(value) {
			errs = append(errs, fmt.Errorf("%s must be %s", whole, check.want))
		}
	}
	return errors.Join(errs...)
}

func oneOf(values ...string) func(string) bool {
	return func(v string) bool { return slices.Contains(values, v) }
}

func isCollector(v string) bool {
	u, err := url.Parse(v)
	return err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https") &&
		u.User == nil && u.RawQuery == "" && u.Fragment == "" // which would be left out
}

func areHeaders(v string) bool {
	for pair := range strings.SplitSeq(v, ",") {
		name, value, ok := strings.Cut(pair, "=")
		value, err := url.PathUnescape(value)
		if !ok || err != nil || strings.TrimSpace(name) == "" || strings.ContainsAny(name+value, "\r\n") {
			return false
		}
	}
	return true
}

func isFile(v string) bool {
	info, err := os.Stat(v)
	return err == nil && info.Mode().IsRegular()
}
