package main

import (
	"fmt"
	"io"

	"gonamesrv/internal/audit"
)

const auditVerifyUsage = "usage: namesrv audit verify FILE...\n\nVerifies files of the audit log (auditLogPath), the oldest first. Those that end in .gz are compressed.\n"

// isAuditVerify reports whether the words of the command line are the command that
// verifies an audit log, and returns what is behind it.
func isAuditVerify(args []string) ([]string, bool) {
	if len(args) >= 2 && args[0] == "audit" && args[1] == "verify" {
		return args[2:], true
	}
	return nil, false
}

// auditVerify says whether files of an audit log are as they were written, or which line
// is the first that is not.
func auditVerify(files []string, stdout, stderr io.Writer) int {
	if len(files) == 0 || files[0] == "-h" || files[0] == "--help" {
		fmt.Fprint(stdout, auditVerifyUsage)
		if len(files) == 0 {
			return exitUsage
		}
		return exitOK
	}
	r, err := audit.Verify(files...)
	fmt.Fprint(stdout, r.Text(err))
	if err != nil {
		complain(stderr, err)
		return exitFailed
	}
	return exitOK
}
