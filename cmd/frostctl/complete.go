package main

import (
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
)

// What a shell's completion may cost: it waits for it at every key.
const (
	completeBytes = 1 << 20 // of a keys file
	completeIDs   = 100
)

var keyInFile = regexp.MustCompile(`"id":"([0-9a-f]{32}\.[0-9]+)"`)

// completeKeys completes ids of keys from the beginning of the keys file that the command
// names, or of keys.jsonl here.
func completeKeys(cmd *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
	path := defaultKeys
	if named, err := cmd.Flags().GetString("keys"); err == nil && named != "" {
		path = named
	}
	return keyIDs(path, prefix), cobra.ShellCompDirectiveNoFileComp
}

func keyIDs(path, prefix string) (ids []string) {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() { // - is no file, and a pipe would be waited for
		return nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, completeBytes))
	if err != nil {
		return nil
	}
	for _, found := range keyInFile.FindAllSubmatch(text, -1) {
		if id := string(found[1]); strings.HasPrefix(id, prefix) {
			if ids = append(ids, id); len(ids) == completeIDs {
				break
			}
		}
	}
	return ids
}

// completeFlags makes shells complete --key in all commands that read a keys file.
func completeFlags(cmd *cobra.Command) {
	if cmd.Flags().Lookup("key") != nil && cmd.Flags().Lookup("keys") != nil {
		_ = cmd.RegisterFlagCompletionFunc("key", completeKeys) // fails only without such a flag
	}
	for _, c := range cmd.Commands() {
		completeFlags(c)
	}
}
