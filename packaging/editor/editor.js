// A YAML editor with completion and problems in place; logship/playground/page/playground.js uses nothing else of it.
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { yaml } from "@codemirror/lang-yaml";
import { HighlightStyle, bracketMatching, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { lintGutter, lintKeymap, setDiagnostics } from "@codemirror/lint";
import { highlightSelectionMatches, searchKeymap } from "@codemirror/search";
import { EditorState } from "@codemirror/state";
import { EditorView, drawSelection, highlightActiveLine, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";

const colours = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], class: "tok-key" },
  { tag: [tags.string, tags.special(tags.string)], class: "tok-string" },
  { tag: [tags.number, tags.bool, tags.null, tags.atom, tags.keyword], class: "tok-atom" },
  { tag: [tags.comment, tags.lineComment], class: "tok-comment" },
  { tag: [tags.punctuation, tags.separator, tags.squareBracket, tags.brace], class: "tok-mark" },
]);

/* `complete(text before the cursor, from the start of the document)` gives {from, options} or null; `from` counts
   characters back from the cursor. Problems are {line, column, width, severity, message}, counted from 1. */
export function makeEditor({ parent, text, label, nonce, onChange, complete }) {
  const source = (context) => {
    const found = complete(context.state.sliceDoc(0, context.pos), context.explicit);
    return found && { from: context.pos - found.from, options: found.options, validFor: found.validFor };
  };
  const view = new EditorView({
    parent,
    state: EditorState.create({
      doc: text,
      extensions: [
        lineNumbers(), history(), drawSelection(), indentOnInput(), bracketMatching(), closeBrackets(),
        highlightActiveLine(), highlightSelectionMatches(), lintGutter(), EditorView.lineWrapping, indentUnit.of("  "),
        yaml(), syntaxHighlighting(colours), autocompletion({ override: [source], icons: false }),
        keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...searchKeymap, ...historyKeymap, ...completionKeymap,
                   ...lintKeymap, indentWithTab]),
        EditorView.cspNonce.of(nonce),
        EditorView.contentAttributes.of({ "aria-label": label }),
        EditorView.updateListener.of((update) => update.docChanged && onChange(view.state.doc.toString())),
      ],
    }),
  });
  const place = ({ line, column, width }) => {
    const at = view.state.doc.line(Math.min(Math.max(line || 1, 1), view.state.doc.lines));
    const from = Math.min(at.from + Math.max((column || 1) - 1, 0), at.to);
    return { from, to: Math.min(Math.max(from + (width || 1), from), Math.max(at.to, from)) };
  };
  return {
    text: () => view.state.doc.toString(),
    replace: (whole) => view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: whole } }),
    show: (problems) =>
      view.dispatch(setDiagnostics(view.state, problems.map((one) => ({ ...place(one), severity: one.severity, message: one.message })))),
    go: (problem) => {
      view.dispatch({ selection: { anchor: place(problem).from }, scrollIntoView: true });
      view.focus();
    },
    focus: () => view.focus(),
  };
}
