package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/frostfleet/frostfleet/internal/command"
	"github.com/frostfleet/frostfleet/internal/config"
	"github.com/frostfleet/frostfleet/internal/httpclient"
)

// What names a gateway's HTTP port where no client.toml does, or another one than that does.
const (
	envURL   = "FROSTCTL_URL"
	envToken = "FROSTCTL_TOKEN_FILE"
)

// gatewayHelp ends the help of each command that asks a gateway over HTTP.
const gatewayHelp = `

It asks a gateway over HTTP: [http] of client.toml has the URL and the file of
the token, or $` + envURL + ` and $` + envToken + ` do, which count first.`

// gatewaySection is the [http] that counts; its URL is empty where there is none. The
// environment is enough: no client.toml need be there.
func gatewaySection(cmd *cobra.Command) (h config.ClientHTTP, err error) {
	if path, err := configPath(cmd); err == nil {
		file, err := config.ParseClient(path)
		if err != nil {
			return h, err
		}
		h = file.HTTP
	}
	if url := os.Getenv(envURL); url != "" {
		if _, err := config.GatewayURLs(url); err != nil {
			return h, usagef("$%s %w", envURL, err)
		}
		h.URL = url
	}
	if token := os.Getenv(envToken); token != "" {
		h.TokenFile = token
	}
	return h, nil
}

// hasGateway reports whether there is one to ask over HTTP.
func hasGateway(cmd *cobra.Command) (bool, error) {
	h, err := gatewaySection(cmd)
	return h.URL != "", err
}

// openGateway makes the client of commands that ask over HTTP. The command closes it.
func openGateway(cmd *cobra.Command) (*httpclient.Client, error) {
	h, err := gatewaySection(cmd)
	if err != nil {
		return nil, err
	}
	if h.URL == "" {
		return nil, usagef("no gateway to ask over HTTP: name one as url in [http] of client.toml, or in $%s", envURL)
	}
	o, err := gatewayOptions(h)
	if err != nil {
		return nil, err
	}
	return httpclient.New(o), nil
}

// gatewayOptions reads the files of the section.
func gatewayOptions(h config.ClientHTTP) (o httpclient.Options, err error) {
	if h.TokenFile == "" {
		return o, usagef("no token for %s: name its file as token_file in [http] of client.toml, or in $%s", h.URL, envToken)
	}
	o.Program = "frostctl/" + strings.ReplaceAll(command.Version(), " ", "-")
	if o.URLs, err = config.GatewayURLs(h.URL); err != nil {
		return o, fmt.Errorf("http.url %w", err)
	}
	if o.Token, err = config.ReadToken(h.TokenFile); err == nil {
		o.CA, err = config.ReadCA(h.CA)
	}
	return o, err
}

// checkGateway reads what names gateways, and says which they are.
func checkGateway(cmd *cobra.Command) (string, error) {
	h, err := gatewaySection(cmd)
	if err != nil || h.URL == "" {
		return "no gateway is asked over HTTP", err
	}
	o, err := gatewayOptions(h)
	return strings.Join(o.URLs, ", "), err
}

// believed says that nothing but a gateway's word stands for what is printed.
func believed(cmd *cobra.Command, c *httpclient.Client, how string) {
	note(cmd, "this is what the gateway says (%s), and nothing here proves it: %s", strings.Join(c.URLs(), ", "), how)
}

// errTooFew ends fleet status where the fleet can't sign.
var errTooFew = errors.New("too few nodes are present to sign")
