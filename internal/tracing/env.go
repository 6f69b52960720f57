package tracing

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"

	sdk "go.opentelemetry.io/otel/sdk/trace"
)

// settings are what the environment says, by OpenTelemetry's own names. The
// exporter reads OTEL_EXPORTER_OTLP_*, the SDK OTEL_BSP_* and OTEL_SPAN_*, by
// themselves; but they pass over what they can't read and go on with a default. A
// collector that gets nothing because of a typing error is found here.
type settings struct {
	on            bool
	sampler, root sdk.Sampler // of all spans; of those without a parent
}

// Variables that are read here.
const (
	envDisabled = "OTEL_SDK_DISABLED"
	envExporter = "OTEL_TRACES_EXPORTER"
	envSampler  = "OTEL_TRACES_SAMPLER"
	envArgument = "OTEL_TRACES_SAMPLER_ARG"

	envEndpoint       = "OTEL_EXPORTER_OTLP_ENDPOINT"
	envTracesEndpoint = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	envProtocol       = "OTEL_EXPORTER_OTLP_PROTOCOL"
	envTracesProtocol = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"
)

func env(name string) string { return strings.TrimSpace(os.Getenv(name)) }

func readEnv() (cfg settings, err error) {
	endpoint := cmp.Or(env(envTracesEndpoint), env(envEndpoint))
	exporter := strings.ToLower(env(envExporter))
	if endpoint == "" || exporter == "none" || strings.EqualFold(env(envDisabled), "true") {
		return cfg, nil
	}
	cfg.on = true
	var errs []error
	if exporter != "" && exporter != "otlp" {
		errs = append(errs, fmt.Errorf("%s=%s: use otlp or none", envExporter, clip(exporter, 40)))
	}
	for _, name := range []string{envEndpoint, envTracesEndpoint} {
		errs = append(errs, checkURL(name, env(name)))
	}
	switch protocol := cmp.Or(env(envTracesProtocol), env(envProtocol)); protocol {
	case "", "http/protobuf", "http/json":
	default:
		errs = append(errs, fmt.Errorf("%s=%s: spans are sent by http/protobuf; collectors take that on port 4318", envProtocol, clip(protocol, 40)))
	}
	cfg.sampler, cfg.root, err = sampler(strings.ToLower(env(envSampler)), env(envArgument))
	if err = errors.Join(append(errs, err)...); err != nil {
		return settings{}, fmt.Errorf("tracing: %w", err)
	}
	return cfg, nil
}

// checkURL shows nothing of the URL: it may hold a password.
func checkURL(name, text string) error {
	if text == "" {
		return nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("%s is no URL of a collector: use something like http://localhost:4318", name)
	}
	return nil
}

// sampler is OTEL_TRACES_SAMPLER as OpenTelemetry defines it. With the default,
// and all that begin with parentbased, whoever sends a job with a traceparent
// decides whether it is sampled; with the others the fleet does.
func sampler(name, argument string) (all, root sdk.Sampler, err error) {
	kind, parentBased := strings.CutPrefix(cmp.Or(name, "parentbased_always_on"), "parentbased_")
	switch kind {
	case "always_on":
		root = sdk.AlwaysSample()
	case "always_off":
		root = sdk.NeverSample()
	case "traceidratio":
		ratio, err := strconv.ParseFloat(cmp.Or(argument, "1"), 64)
		if err != nil || !(ratio >= 0 && ratio <= 1) {
			return nil, nil, fmt.Errorf("%s=%s: use a share of all traces between 0 and 1", envArgument, clip(argument, 40))
		}
		root = sdk.TraceIDRatioBased(ratio)
	default:
		return nil, nil, fmt.Errorf("%s=%s: use always_on, always_off or traceidratio, with or without parentbased_ before it", envSampler, clip(name, 40))
	}
	if parentBased {
		return sdk.ParentBased(root), root, nil
	}
	return root, root, nil
}
