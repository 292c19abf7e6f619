//! Snippets for pipelines, and release notes to fill in.

use hashinsight_crds::text::Language;
use serde_json::json;

use super::arguments::Pipeline;
use crate::output::{Answer, Block};
use crate::trouble::Exit;

const GITHUB: &str = "\
# After the steps that build, test and scan. Their reports are in evidence/.
- name: Release gate
  run: hashinsight gate check --evidence evidence --artifact \"$IMAGE_DIGEST\" --commit \"$GITHUB_SHA\" -o github --report markdown=\"$GITHUB_STEP_SUMMARY\" --report sarif=gate.sarif --report junit=gate.xml
";

const GITLAB: &str = "\
# After the stages that build, test and scan. Their reports are artifacts in evidence/.
release-gate:
  stage: deploy
  script: [hashinsight gate check --evidence evidence --artifact \"$IMAGE_DIGEST\" --commit \"$CI_COMMIT_SHA\" --report gitlab=gate.json --report junit=gate.xml --report html=gate.html]
  artifacts: {when: always, paths: [gate.html], reports: {codequality: gate.json, junit: gate.xml}}
";

const TEKTON: &str = "\
# After the tasks that build, test and scan. Their reports are in the workspace, in evidence/.
apiVersion: tekton.dev/v1
kind: Task
metadata: {name: release-gate}
spec:
  params: [{name: image-digest}, {name: commit}, {name: image}]
  workspaces: [{name: source}]
  steps:
  - name: check
    image: $(params.image)
    workingDir: $(workspaces.source.path)
    command: [hashinsight, gate, check, --evidence, evidence, --artifact, $(params.image-digest), --commit, $(params.commit), --report, html=gate.html]
";

const NOTES: &str = "\
---
class: Feature
---
# Release

## Change

What is different for those who use it.

## Risk

What may go wrong, for whom, and how one would notice.

## Rollback

The command that goes back, and what is lost by it.
";

const NOTES_ZH: &str = "\
---
类别: 功能
---
# 发布

## 变更

对使用者而言有何不同。

## 风险

可能出什么问题，影响谁，如何发现。

## 回退

回退命令，以及回退会丢失什么。
";

pub fn answer(pipeline: Option<Pipeline>, language: Language) -> Answer {
    let (name, snippet) = match (pipeline, language) {
        (Some(Pipeline::Github), _) => ("github", GITHUB),
        (Some(Pipeline::Gitlab), _) => ("gitlab", GITLAB),
        (Some(Pipeline::Tekton), _) => ("tekton", TEKTON),
        (None, Language::English) => ("notes", NOTES),
        (None, Language::Chinese) => ("notes", NOTES_ZH),
    };
    Answer {
        exit: Exit::Ok,
        data: json!({"schemaVersion": 1, "for": name, "text": snippet}),
        names: vec![name.to_owned()],
        csv: None,
        blocks: vec![Block::Line(snippet.trim_end().to_owned())],
    }
}
